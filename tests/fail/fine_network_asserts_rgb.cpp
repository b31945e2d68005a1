// expect-error: this network reads RGB images
// not-on: clang it reports a class with a failed assertion again where the class is used
// A static_assert of the user's own is the one error; the lines around it lead to the fine network's six channels.
#include <c2f/c2f.hpp>

struct my_network {
  using kind = c2f::class_vector<10>;
  template <c2f::image_shape In>
  struct on {
#ifndef CORRECTED
    static_assert(In::channels == 3, "this network reads RGB images");
#endif
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
