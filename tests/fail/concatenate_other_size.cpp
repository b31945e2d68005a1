// expect-error: the fuse cannot join the encoder's map with the image
// expect-error: got<c2f::image<10, 1, 1>
// expect-error: wanted<c2f::image<3, 32, 32>
// A map of one pixel cannot be concatenated with an image: it must have the image's height and width.
#include <c2f/c2f.hpp>

struct broadcast {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    C2F_MEMBERS();
#ifdef CORRECTED
    using output = c2f::with_channels<Like, 10>;
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const {
      return y.unsqueeze(2).unsqueeze(3).expand({-1, -1, x.size(2), x.size(3)});
    }
#else
    using output = c2f::image<10, 1, 1>;
    at::Tensor operator()(at::Tensor const& y, at::Tensor const&, c2f::pass&) const { return y.unsqueeze(2).unsqueeze(3); }
#endif
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using encoder = broadcast;
};
static_assert(c2f::task<mine>);
