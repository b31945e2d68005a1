// expect-error: c2f::flatten needs a height and a width that are known while compiling
// expect-error: in_layer<c2f::flatten>
// expect-error: got<c2f::image<16, -1, -1>
// The number of inputs of the linear layer that follows must be known; global average pooling has one per channel.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, c2f::dynamic, c2f::dynamic>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::flatten, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
