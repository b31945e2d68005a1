// expect-error: c2f::unet halves the map once a level
// expect-error: in_layer<c2f::unet<4.*got<c2f::image<3, 100
// 100 can be halved twice.
#include <c2f/c2f.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/networks/unet.hpp>

struct mine {
  using input = c2f::image<3, 100, 100>;
#ifdef CORRECTED
  using network = c2f::unet<2, 16, c2f::dense<1>>;
#else
  using network = c2f::unet<4, 16, c2f::dense<1>>;
#endif
};
static_assert(c2f::task<mine>);
