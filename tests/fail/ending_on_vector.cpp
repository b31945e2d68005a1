// expect-error: the layers of c2f::share::ending cannot be put on what the networks give
// expect-error: got<c2f::vector<10>
// The networks end in vectors, on which this ending of several maps cannot be put.
#include <c2f/c2f.hpp>

struct pyramid {
  template <c2f::shape In>
  struct on;
  template <c2f::maps_shape In>
  struct on<In> {
    using output = typename In::template at<0>;
    C2F_MEMBERS();
    at::Tensor operator()(c2f::value_of<In> const& x, c2f::mode) const { return x[0]; }
  };
};
struct mine {
  static constexpr char const* name = "mine";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using share = c2f::share::ending<c2f::identity>;
#else
  using share = c2f::share::ending<pyramid>;
#endif
};
static_assert(c2f::task<mine>);
