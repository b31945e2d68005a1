// expect-error: this layer cannot be put on its input
// expect-error: in_layer<swish>
// expect-error: got<c2f::image<16, 32, 32>
// A custom layer declares its output shape, even if it is that of the input.
#include <c2f/c2f.hpp>

struct swish {
  template <c2f::shape In>
  struct on {
#ifdef CORRECTED
    using output = In;
#endif
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.mul(x.sigmoid()); }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, swish, c2f::global_average_pool, c2f::linear<10>>;
};
static_assert(c2f::task<mine>);
