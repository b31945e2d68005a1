// expect-error: the coarse network does not end in the shape of its kind
// expect-error: got<c2f::vector<20>
// expect-error: wanted<c2f::vector<10>
// The number of classes is in the kind and in the last layer; they must agree.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<20>, c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<20>>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<20>>;
#endif
};
static_assert(c2f::task<mine>);
