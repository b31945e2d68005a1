// expect-error: c2f::boxes needs one class or more
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using kind = c2f::boxes<1>;
#else
using kind = c2f::boxes<0>;
#endif
kind mine;
