// expect-error: c2f::weighted_dense needs two classes or more
#include <c2f/c2f.hpp>
#include <c2f/kinds/weighted_dense.hpp>

#ifdef CORRECTED
using kind = c2f::weighted_dense<2>;
#else
using kind = c2f::weighted_dense<1>;
#endif
static_assert(kind::weighted);
