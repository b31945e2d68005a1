// expect-error: c2f::encode::after needs a t from 0 to 1
#include <c2f/c2f.hpp>
#include <c2f/parts/encode_saliency.hpp>
#include <c2f/networks/unet.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<1>>;
  using fuse    = c2f::fuse::multiply;
#ifdef CORRECTED
  using encoder = c2f::encode::after<0.25, c2f::encode::saliency>;
#else
  using encoder = c2f::encode::after<25, c2f::encode::saliency>;
#endif
};
static_assert(c2f::task<mine>);
