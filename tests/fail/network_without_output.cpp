// expect-error: the coarse network cannot be put on its input
// expect-error: got<my_network>
// The layers that follow a network need its output shape: 'output'.
#include <c2f/c2f.hpp>

struct my_network {
  using kind = c2f::class_vector<10>;
  template <c2f::shape In>
  struct on {
#ifdef CORRECTED
    using output = c2f::vector<10>;
#endif
    c2f::network_on<c2f::linear<10>, c2f::vector<In::channels>> fc;
    C2F_MEMBERS(fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return fc(x.mean({2, 3}), m); }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = my_network;
};
static_assert(c2f::task<mine>);
