// expect-error: the label that c2f::dense ignores is one of its classes
// Label 0 is the background of a mask, which is not ignored.
#include <c2f/c2f.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/networks/unet.hpp>

#ifdef CORRECTED
using kind = c2f::dense<1, -1>;
#else
using kind = c2f::dense<1, 0>;
#endif
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, kind>;
};
static_assert(c2f::task<mine>);
