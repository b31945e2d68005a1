// expect-error: a task's network must say what it predicts
// expect-error: got<c2f::sequential<
// Ten outputs have no meaning by themselves; c2f::predicts states that they are classes.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#else
  using network = c2f::sequential<c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
