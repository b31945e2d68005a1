// expect-error: first [[]a; b] message
// expect-error: second message
// errors: 2
#ifndef CORRECTED
static_assert(false, "first [a; b] message");
static_assert(false, "second message");
#endif
