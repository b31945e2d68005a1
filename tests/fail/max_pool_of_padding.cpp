// expect-error: c2f::max_pool's padding is at most half of its kernel
// expect-error: in_layer<c2f::max_pool<3, 2, 2
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using pool = c2f::max_pool<3, 2, 1>;
#else
using pool = c2f::max_pool<3, 2, 2>;
#endif
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, pool, c2f::global_average_pool, c2f::linear<10>>;
};
static_assert(c2f::task<mine>);
