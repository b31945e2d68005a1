// expect-error: the fine network cannot be put on what the fuse gives
// expect-error: got<my_network>
// The fine network reads the image concatenated with the encoder's map: here six channels, not three.
#include <c2f/c2f.hpp>

struct my_network {
  using kind = c2f::class_vector<10>;
#ifdef CORRECTED
  template <c2f::image_shape In>
#else
  template <c2f::image_shape In>
    requires(In::channels == 3)
#endif
  struct on {
    using output = c2f::vector<10>;
    c2f::network_on<c2f::conv<10, 3>, In> conv;
    C2F_MEMBERS(conv);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return conv(x, m).mean({2, 3}); }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = my_network;
};
static_assert(c2f::task<mine>);
