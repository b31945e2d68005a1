// expect-error: the multiple of c2f::fuse::crop does not divide the image's height and width
// Rounded up to a multiple of 20, a part of a 32x32 image could be 40 pixels high.
#include <c2f/c2f.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/networks/unet.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<1>>;
  using encoder = c2f::encode::none;
#ifdef CORRECTED
  using fuse = c2f::fuse::crop<2, 4, 16>;
#else
  using fuse = c2f::fuse::crop<2, 4, 20>;
#endif
};
static_assert(c2f::task<mine>);
