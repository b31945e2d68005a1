// expect-error: this layer works on a map
// expect-error: in_layer<c2f::global_average_pool>
// expect-error: got<c2f::vector<16>
// The input of the gate's head is the features; if they are a vector the head needs no pooling.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using share   = c2f::share::features<c2f::sequential<c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool>>;
  using network = c2f::predicts<c2f::class_vector<10>, c2f::linear<10>>;
  using encoder = c2f::encode::none;
#ifdef CORRECTED
  using combine = c2f::combine::gate<c2f::linear<2>>;
#else
  using combine = c2f::combine::gate<>;
#endif
};
static_assert(c2f::task<mine>);
