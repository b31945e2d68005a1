// expect-error: this layer works on a map
// expect-error: in_layer<c2f::conv<32, 3.*got<c2f::vector<16>
// c2f::global_average_pool returns a vector, and a convolution needs a map.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using layers = c2f::sequential<c2f::conv<16, 3>, c2f::relu, c2f::conv<32, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#else
  using layers = c2f::sequential<c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::conv<32, 3>, c2f::relu, c2f::linear<10>>;
#endif
  using network = c2f::predicts<c2f::class_vector<10>, layers>;
};
static_assert(c2f::task<mine>);
