// expect-error: the coarse network cannot be put on its input
// expect-error: got<my_network>
// A network is called with images and a mode by a const operator(); 'forward' is LibTorch's name.
#include <c2f/c2f.hpp>

struct my_network {
  using kind = c2f::class_vector<10>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<10>;
    c2f::network_on<c2f::linear<10>, c2f::vector<In::channels>> fc;
    C2F_MEMBERS(fc);
#ifdef CORRECTED
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return fc(x.mean({2, 3}), m); }
#else
    at::Tensor forward(at::Tensor const& x) { return fc(x.mean({2, 3}), c2f::train); }
#endif
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = my_network;
};
static_assert(c2f::task<mine>);
