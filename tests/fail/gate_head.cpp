// expect-error: the head of a gate ends in two numbers for each prediction, 'hard' and 'easy'
// expect-error: got<c2f::vector<2>
// The gate of a map needs a map of scores; the default head is that of class vectors.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using share   = c2f::share::features<c2f::sequential<c2f::conv<16, 3, 2>, c2f::relu>>;
  using network = c2f::predicts<c2f::dense<5>, c2f::conv<5, 3, 1, 1, c2f::bias>>;
  using encoder = c2f::encode::none;
#ifdef CORRECTED
  using combine = c2f::combine::gate<c2f::conv<2, 1, 1, 0, c2f::bias>>;
#else
  using combine = c2f::combine::gate<>;
#endif
};
static_assert(c2f::task<mine>);
