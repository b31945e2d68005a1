// expect-error: c2f::fuse::crop needs a margin and a jitter of 0 pixels or more
#include <c2f/c2f.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/networks/unet.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<1>>;
  using encoder = c2f::encode::none;
#ifdef CORRECTED
  using fuse = c2f::fuse::crop<2, 4, 4>;
#else
  using fuse = c2f::fuse::crop<-2, 4, 4>;
#endif
};
static_assert(c2f::task<mine>);
