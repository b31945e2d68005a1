// expect-error: this layer works on a vector but stands after a map
// expect-error: in_layer<c2f::linear<10
// expect-error: got<c2f::image<16, 32, 32>
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
