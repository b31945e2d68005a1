// expect-error: a task's network must say what it predicts
// expect-error: got<c2f::predicts<c2f::conv<10
// The kind comes before the layers.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<10, 3>, c2f::global_average_pool>;
#else
  using network = c2f::predicts<c2f::conv<10, 3>, c2f::global_average_pool>;
#endif
};
static_assert(c2f::task<mine>);
