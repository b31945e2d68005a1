// expect-error: the coarse network does not end in the shape of its kind
// expect-error: got<c2f::image<10, 32, 32>
// expect-error: wanted<c2f::vector<10>
// The classes of an image are a vector, not ten maps.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<10, 3>, c2f::global_average_pool>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<10, 3>>;
#endif
};
static_assert(c2f::task<mine>);
