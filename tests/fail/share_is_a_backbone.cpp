// expect-error: the task's share cannot be put on its input
// expect-error: got<c2f::sequential<
// A backbone that both networks share is wrapped in c2f::share::features.
#include <c2f/c2f.hpp>

struct mine {
  using input    = c2f::image<3, 32, 32>;
  using network  = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
  using backbone = c2f::sequential<c2f::conv<16, 3>, c2f::batch_norm, c2f::relu>;
#ifdef CORRECTED
  using share = c2f::share::features<backbone>;
#else
  using share = backbone;
#endif
};
static_assert(c2f::task<mine>);
