// expect-error: the wanted sentence
#ifndef TWIN_OK
static_assert(false, "the wanted sentence");
int value = no_such_name;
#endif
