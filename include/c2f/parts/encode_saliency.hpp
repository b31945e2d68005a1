// c2f/parts/encode_saliency.hpp: RSTN's saliency module, and an encoder that is enabled during training.
//
//   using encoder = c2f::encode::saliency;                                 // with c2f::fuse::multiply
//   using encoder = c2f::encode::after<0.5, c2f::encode::saliency>;        // z = 1 while t < .5: multiplication leaves the image unchanged
//
// y [N, K, H, W] -> z [N, C, H, W]: a 3x3 convolution, ReLU, and a 5x5 convolution without ReLU (Yu et al., CVPR 2018, "Recurrent saliency
// transformation network"). Initially the first has Xavier normal weights and biases 1, the second weights 0 and biases 1, so that z = 1
// and multiplication leaves the image unchanged. With weights 0, the first step's gradient reaches the second convolution only, and not y.
//
// after: RSTN first trains its fine network on the raw image (its stage S) and later on the weighted one. In training only; inference
// always runs the encoder. It compares t on the host, so such a pass is not captured.
// Errors: a kind that is not a map is a compile error (task/check.hpp); so is a t outside of [0, 1].
#pragma once

#include <c2f/parts/encode_dense.hpp>

#include <ATen/ops/ones.h>

namespace c2f {

namespace encode {

namespace detail {
template <auto T>
consteval bool check_after() {
  static_assert(T >= 0 && T <= 1, "c2f::encode::after needs a t from 0 to 1; write c2f::encode::after<0.5, encoder>");
  return true;
}
}  // namespace detail

/// RSTN's saliency module: y [N, K, H, W], a dense prediction -> z [N, C, H, W] like the image.
struct saliency {
  template <output_kind Kind, image_shape Like>
    requires image_shape<typename Kind::template output<Like>>
  struct on {
    using output = Like;
    using first  = conv<Like::channels, 3, 1, 1, bias_from<initial::ones>, 1, initial::xavier_normal>;
    using second = conv<Like::channels, 5, 1, 2, bias_from<initial::ones>, 1, initial::zeros>;

    network_on<first, with_channels<Like, Kind::template output<Like>::channels>> conv1;
    network_on<second, Like> conv2;
    C2F_MEMBERS(conv1, conv2);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const {
      return conv2(conv1.then_relu(detail::pooled_as(y, x), p.mode), p.mode);
    }
  };
};

/// z = 1 in training while t < `T`, then `Encoder`.
template <auto T, class Encoder>
struct after : c2f::detail::static_check<detail::check_after<T>()> {
  template <class Kind, class Like>
    requires encoder_on<Encoder, Kind, Like> && image_shape<typename Encoder::template on<Kind, Like>::output>
  struct on : Encoder::template on<Kind, Like> {
    using base = typename Encoder::template on<Kind, Like>;
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const {
      if (p.training()) p.requires_host("c2f::encode::after, which compares t on the host");
      if (p.training() && p.t < T) return at::ones({x.size(0), base::output::channels, x.size(2), x.size(3)}, x.options());
      return base::operator()(y, x, p);
    }
  };
};

}  // namespace encode
}  // namespace c2f
