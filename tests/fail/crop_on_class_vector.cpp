// expect-error: the task's fuse cannot use what the networks predict
// expect-error: got<c2f::fuse::in_turn<.*wanted<c2f::class_vector
// A class vector has no position in the image, so there is nothing to crop.
#include <c2f/c2f.hpp>
#include <c2f/parts/fuse_crop.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<8, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
#ifdef CORRECTED
  using fuse = c2f::fuse::multiply;
#else
  using fuse = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<>>;
#endif
};
static_assert(c2f::task<mine>);
