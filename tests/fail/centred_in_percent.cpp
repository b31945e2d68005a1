// expect-error: c2f::centred needs a weight of 0 or more and a rate from 0 to 1
#include <c2f/c2f.hpp>
#include <c2f/layers/centred.hpp>

struct mine {
  using kind  = c2f::class_vector<10>;
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<kind, c2f::conv<16, 3>, c2f::global_average_pool, c2f::centred<kind, 1.0, 0.05>, c2f::linear<10>>;
#else
  using network = c2f::predicts<kind, c2f::conv<16, 3>, c2f::global_average_pool, c2f::centred<kind, 1.0, 5>, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
