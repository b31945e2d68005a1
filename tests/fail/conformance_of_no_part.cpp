// expect-error: c2f::conformance knows no laws for this type
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#ifdef CORRECTED
using part = c2f::schedule::ramp<0.5, 30>;
#else
using part = c2f::loss_weights<1.0, 1.0>;
#endif
auto const report = c2f::conformance<part>();
