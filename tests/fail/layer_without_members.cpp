// expect-error: c2f cannot see the parameters of this network
// expect-error: got<swish>
// An empty C2F_MEMBERS() states that there are no parameters.
#include <c2f/c2f.hpp>

struct swish {
  template <c2f::shape In>
  struct on {
    using output = In;
#ifdef CORRECTED
    C2F_MEMBERS();
#endif
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.mul(x.sigmoid()); }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<c2f::class_vector<10>, swish, c2f::conv<16, 3, 2>, swish, c2f::global_average_pool, c2f::linear<10>>;
};
static_assert(c2f::task<mine>);
