// expect-error: c2f::dense needs one class or more
#include <c2f/c2f.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/networks/unet.hpp>

#ifdef CORRECTED
using kind = c2f::dense<1>;
#else
using kind = c2f::dense<0>;
#endif
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, kind>;
};
static_assert(c2f::task<mine>);
