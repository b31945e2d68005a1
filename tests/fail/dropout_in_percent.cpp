// expect-error: c2f::dropout needs a probability from 0 to below 1
#include <c2f/c2f.hpp>
#include <c2f/layers/dropout.hpp>

#ifdef CORRECTED
using layer = c2f::dropout<0.5>;
#else
using layer = c2f::dropout<50.0>;
#endif
using net = c2f::network_on<layer, c2f::vector<4>>;
static_assert(c2f::parameter_count<net> == 0);
