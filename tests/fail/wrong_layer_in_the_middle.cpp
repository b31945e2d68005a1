// expect-error: this layer works on a map
// expect-error: in_layer<c2f::conv<32, 3
// One layer is in the wrong position: follow-on errors of later layers and of the stack are suppressed.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
  using block = c2f::sequential<c2f::conv<32, 3>, c2f::batch_norm, c2f::relu>;
#ifdef CORRECTED
  using layers = c2f::sequential<block, c2f::max_pool<2>, c2f::repeat<2, c2f::basic_block<32>>, c2f::global_average_pool, c2f::linear<10>>;
#else
  using layers = c2f::sequential<c2f::global_average_pool, block, c2f::max_pool<2>, c2f::repeat<2, c2f::basic_block<32>>, c2f::linear<10>>;
#endif
  using network = c2f::predicts<c2f::class_vector<10>, layers>;
};
static_assert(c2f::task<mine>);
c2f::stack<mine> model;
