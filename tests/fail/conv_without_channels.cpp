// expect-error: this layer makes no channels
// expect-error: in_layer<c2f::conv<0, 3
#include <c2f/c2f.hpp>

#ifdef CORRECTED
constexpr int width = 8;
#else
constexpr int width = 0;
#endif
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using layers  = c2f::sequential<c2f::conv<width, 3>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
  using network = c2f::predicts<c2f::class_vector<10>, layers>;
};
static_assert(c2f::task<mine>);
