// expect-error: a c2f::stack that is trained on truths is no layer
// expect-error: in_layer<c2f::stack<inner
// Between layers it would follow the schedule of the outer task, and be supervised beside it.
#include <c2f/c2f.hpp>
#include <c2f/layers/frozen.hpp>

struct inner {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<8, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
};
struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<4>, c2f::frozen<c2f::stack<inner>>, c2f::linear<4>>;
#else
  using network = c2f::predicts<c2f::class_vector<4>, c2f::stack<inner>, c2f::linear<4>>;
#endif
};
static_assert(c2f::task<mine>);
