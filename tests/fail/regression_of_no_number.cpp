// expect-error: c2f::regression needs one number or more
#include <c2f/c2f.hpp>
#include <c2f/kinds/regression.hpp>

#ifdef CORRECTED
using kind = c2f::regression<1>;
#else
using kind = c2f::regression<0>;
#endif
kind mine;
