#ifndef TWIN_OK
static_assert(false, "a sentence nobody asked for");
#endif
