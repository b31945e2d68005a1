// expect-error: a member of this network owns parameters and is not listed in C2F_MEMBERS
// expect-error: got<my_network::on<c2f::image<3, 32, 32>
#include <c2f/c2f.hpp>

struct my_network {
  using kind = c2f::class_vector<10>;
  template <c2f::image_shape In>
  struct on {
    using output = c2f::vector<10>;
    c2f::network_on<c2f::conv<16, 3>, In> conv;
    c2f::network_on<c2f::linear<10>, c2f::vector<16>> fc;
#ifdef CORRECTED
    C2F_MEMBERS(conv, fc);
#else
    C2F_MEMBERS(conv);
#endif
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return fc(conv(x, m).relu().mean({2, 3}), m); }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = my_network;
};
static_assert(c2f::task<mine>);
