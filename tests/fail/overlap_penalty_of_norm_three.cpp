// expect-error: c2f::overlap_penalty has norm 1 or 2 and a weight of 0 or more
#include <c2f/c2f.hpp>
#include <c2f/layers/attention_pooling.hpp>

#ifdef CORRECTED
using penalty = c2f::overlap_penalty<2, 0.1>;
#else
using penalty = c2f::overlap_penalty<3, 0.1>;
#endif
static_assert(sizeof(c2f::attention_pooling<8, c2f::initial::orthogonal<>, penalty>) > 0 && sizeof(penalty) > 0);
