// expect-error: c2f::field needs one channel or more
#include <c2f/c2f.hpp>
#include <c2f/kinds/field.hpp>

#ifdef CORRECTED
using kind = c2f::field<2>;
#else
using kind = c2f::field<0>;
#endif
static_assert(kind::channels > 0);
