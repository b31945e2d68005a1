// expect-error: c2f cannot see the parameters of this network
// expect-error: got<broadcast>
// A part without parameters needs an empty C2F_MEMBERS().
#include <c2f/c2f.hpp>

struct broadcast {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = c2f::with_channels<Like, 10>;
#ifdef CORRECTED
    C2F_MEMBERS();
#endif
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const {
      return y.unsqueeze(2).unsqueeze(3).expand({-1, -1, x.size(2), x.size(3)});
    }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using encoder = broadcast;
};
static_assert(c2f::task<mine>);
