// expect-error: a loss of the hardest pixels needs a fraction of them above 0 and up to 1
#include <c2f/c2f.hpp>
#include <c2f/loss/weighted_hardest.hpp>

#ifdef CORRECTED
using loss = c2f::loss::weighted_hardest<0.2>;
#else
using loss = c2f::loss::weighted_hardest<20.0>;
#endif
at::Tensor found(at::Tensor const& raw, at::Tensor const& truth) { return loss::of(raw, truth); }
