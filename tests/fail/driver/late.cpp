// expect-error: the wanted sentence
// errors: 2
#ifndef TWIN_OK
int value = no_such_name;
static_assert(false, "the wanted sentence");
#endif
