// expect-error: the wanted message
// errors: 2
#ifndef CORRECTED
int value = no_such_name;
static_assert(false, "the wanted message");
#endif
