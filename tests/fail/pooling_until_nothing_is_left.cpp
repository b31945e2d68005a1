// expect-error: the map is smaller than this layer's window
// expect-error: in_layer<c2f::max_pool<2.*got<c2f::image<16, 1, 1>
// 8, 4, 2, 1: an 8x8 image can be halved three times.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<1, 8, 8>;
  using half  = c2f::max_pool<2>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, half, half, half, c2f::flatten, c2f::linear<10>>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, half, half, half, half, c2f::flatten, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
