// expect-error: the fine network does not end in the shape of its kind
// expect-error: got<c2f::vector<20>
// expect-error: wanted<c2f::vector<10>
#include <c2f/c2f.hpp>

using coarse = c2f::predicts<c2f::class_vector<10>, c2f::conv<8, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#ifdef CORRECTED
using fine = c2f::predicts<c2f::class_vector<10>, c2f::conv<32, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#else
using fine = c2f::predicts<c2f::class_vector<10>, c2f::conv<32, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<20>>;
#endif

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::coarse_fine<coarse, fine>;
};
static_assert(c2f::task<mine>);
