// expect-error: c2f::unet needs 1 to 8 levels below the first
#include <c2f/c2f.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/networks/unet.hpp>

struct mine {
  using input = c2f::image<3, c2f::dynamic, c2f::dynamic>;
#ifdef CORRECTED
  using network = c2f::unet<4, 16, c2f::dense<1>>;
#else
  using network = c2f::unet<16, 4, c2f::dense<1>>;
#endif
};
static_assert(c2f::task<mine>);
