// expect-error: a window's kernel, stride and dilation must be 1 or more
// expect-error: in_layer<c2f::conv<32, 3, 0
// A block with stride 0 reports one error, for its first convolution and not for its shortcut.
#include <c2f/c2f.hpp>

#ifdef CORRECTED
constexpr int stride = 1;
#else
constexpr int stride = 0;
#endif
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using layers  = c2f::sequential<c2f::conv<16, 3>, c2f::basic_block<32, stride>, c2f::global_average_pool, c2f::linear<10>>;
  using network = c2f::predicts<c2f::class_vector<10>, layers>;
};
static_assert(c2f::task<mine>);
