// expect-error: first [[]a; b] sentence
// expect-error: second sentence
// errors: 2
#ifndef TWIN_OK
static_assert(false, "first [a; b] sentence");
static_assert(false, "second sentence");
#endif
