#ifndef CORRECTED
static_assert(false, "an unexpected message");
#endif
