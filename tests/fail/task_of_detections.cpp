// expect-error: networks of this kind have no loss of their own
// expect-error: got<.*detections<2, 5
#include <c2f/c2f.hpp>
#include <c2f/kinds/detections.hpp>

#include <ATen/ops/zeros.h>

using objects = c2f::detections<2, 5>;
struct all_objects {
  using kind = objects;
  template <c2f::image_shape In>
  struct on {
    using output = typename objects::template output<In>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return at::zeros({x.size(0), objects::answers, objects::numbers}); }
  };
};
struct to_the_corners {
  static at::Tensor of(at::Tensor const& raw, at::Tensor const&) { return raw.sub(1).square().mean(); }
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = all_objects;
  using refine  = c2f::refine::no_fine_network;
#ifdef CORRECTED
  using loss = to_the_corners;
#endif
};
static_assert(c2f::task<mine>);
