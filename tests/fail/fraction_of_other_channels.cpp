// expect-error: the coarse network does not end in the shape of its kind
// expect-error: got<c2f::image<4, 8, 8>
// A network may end at a fraction of the image's size, but in as many channels as its kind has classes.
#include <c2f/c2f.hpp>
#include <c2f/kinds/dense.hpp>

#ifdef CORRECTED
using kind = c2f::dense<4>;
#else
using kind = c2f::dense<3>;
#endif

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::relu, c2f::conv<4, 3, 2>>;
};
static_assert(c2f::task<mine>);
