// expect-error: c2f cannot see the parameters of this network
// Without C2F_MEMBERS the parameters of my_network cannot be trained, saved or moved.
#include <c2f/c2f.hpp>

struct my_network {
  using kind = c2f::class_vector<10>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<10>;
    c2f::network_on<c2f::linear<10>, c2f::vector<In::channels>> fc;
#ifdef CORRECTED
    C2F_MEMBERS(fc);
#endif
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return fc(x.mean({2, 3}), m); }
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = my_network;
};
static_assert(c2f::task<mine>);
