// expect-error: the features that the networks share are a vector
// expect-error: got<c2f::vector<8>
// An encoder makes a map of the prediction, and there is no map to join it with.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using share   = c2f::share::features<c2f::sequential<c2f::conv<8, 3>, c2f::relu, c2f::global_average_pool>>;
  using network = c2f::predicts<c2f::class_vector<10>, c2f::linear<10>>;
#ifdef CORRECTED
  using encoder = c2f::encode::none;
#endif
};
static_assert(c2f::task<mine>);
