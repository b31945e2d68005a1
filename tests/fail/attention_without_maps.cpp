// expect-error: c2f::attention_pooling needs one attention map or more
#include <c2f/c2f.hpp>
#include <c2f/layers/attention_pooling.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::attention_pooling<4>, c2f::linear<10>>;
#else
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::attention_pooling<0>, c2f::linear<10>>;
#endif
};
static_assert(c2f::task<mine>);
