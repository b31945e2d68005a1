// expect-error: c2f::pyramid_pooling needs bins of 1 or more
#include <c2f/c2f.hpp>
#include <c2f/networks/dense_heads.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using pyramid = c2f::pyramid_pooling<8, 1, 2>;
#else
  using pyramid = c2f::pyramid_pooling<8>;
#endif
  using network = c2f::predicts<c2f::dense<5>, c2f::conv<16, 3>, pyramid, c2f::conv<5, 3, 1, 1, c2f::bias>>;
};
static_assert(c2f::task<mine>);
