// expect-error: the fuse cannot join the encoder's map with the image
// The encoder's map has the size of the image, and not that of the crop.
#include <c2f/c2f.hpp>
#include <c2f/parts/fuse_crop.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 4, c2f::dense<1>>;
#ifdef CORRECTED
  using fuse = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<2, 4, 4>>;
#else
  using fuse = c2f::fuse::in_turn<c2f::fuse::crop<2, 4, 4>, c2f::fuse::multiply>;
#endif
};
static_assert(c2f::task<mine>);
