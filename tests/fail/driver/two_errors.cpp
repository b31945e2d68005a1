// expect-error: the wanted message
#ifndef CORRECTED
static_assert(false, "the wanted message");
int value = no_such_name;
#endif
