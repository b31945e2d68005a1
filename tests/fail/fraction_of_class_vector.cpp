// expect-error: the coarse network does not end in the shape of its kind
// expect-error: got<c2f::image<10, 8, 8>
// A map of classes at a fraction of the size is an answer for every pixel, and not one for the image.
#include <c2f/c2f.hpp>
#include <c2f/kinds/dense.hpp>

#ifdef CORRECTED
using kind = c2f::dense<10>;
#else
using kind = c2f::class_vector<10>;
#endif

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::relu, c2f::conv<10, 3, 2>>;
};
static_assert(c2f::task<mine>);
