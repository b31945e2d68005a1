// expect-error: c2f::conv_rectangle keeps the size of its map, so its height and width are odd
#include <c2f/c2f.hpp>
#include <c2f/layers/conv_rectangle.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv_rectangle<16, 1, 7>, c2f::global_average_pool, c2f::linear<10>>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv_rectangle<16, 1, 6>, c2f::global_average_pool, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
