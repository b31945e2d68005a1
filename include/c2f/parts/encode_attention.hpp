// c2f/parts/encode_attention.hpp: encoders that make a mask of the coarse network's attention maps (Coarse2Fine).
//
//   using encoder = c2f::encode::attention<>;                          // up-sampled by learnt transposed convolutions
//   using encoder = c2f::encode::attention<c2f::identity>;             // by bilinear interpolation
//   using encoder = c2f::encode::attention<c2f::upsampler<2>, c2f::attend::mean>;     // the mean of the maps in training, too
//   using encoder = c2f::encode::class_attention<8>;                   // the class ỹ says which of 8 maps matter
//   using encoder = c2f::encode::sum<c2f::encode::attention<>, c2f::encode::tile<>>;  // a mask and the g of Ren et al.
//
// The maps are the side output "coarse.attention" [N, M, h, w] of c2f::attention_pooling. attention takes one of them at random for each
// sample in training, a function of (seed, epoch, sample id), and their mean at inference; y is not read. It is up-sampled by `Up`, an
// architecture from one map to one map, resized to the image bilinearly, goes through a ReLU and is divided by its maximum: z [N, 1, H, W],
// from 0 to 1, is the side output "mask". (The mask's activation is not published; attend::raw leaves the map as it is, with the scale of the
// features; with attend::dimmed<0.5> the rest of the image keeps half of its intensity.)
// Since Up works on each map alone, it makes no difference whether a map is selected before or after it. With maps equal to 1 the mask is 1
// and the fine network sees the image.
//
// class_attention weighs the maps by softmax(ỹ W), W [K, M] being a parameter that begins with zeros, so that the mask begins as their
// mean. ỹ is the truth or the prediction, as the task's source and schedule say: attention that progressive training applies to.
// sum adds the maps of two encoders, of which one may have one channel.
//
// Cost: Up on maps of one channel and a few passes over them. Errors: input_error if the coarse network has no attention maps, or another
// number of them than class_attention; a kind that is no vector is a compile error for class_attention and tile (task/check.hpp).
#pragma once

#include <c2f/execution/resize.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>
#include <c2f/layers/upsample.hpp>
#include <c2f/parts/encoder.hpp>

#include <ATen/ops/arange.h>

#include <string>

namespace c2f {

namespace detail {
// c2f::sequential of so many doublings (a repeat needs a block that keeps its shape).
template <class... Layers>
struct doublings {
  template <std::size_t N>
  static consteval auto of() {
    if constexpr (N == 0)
      return sequential<Layers...>{};
    else
      return doublings<Layers..., doubling>::template of<N - 1>();
  }
};
}  // namespace detail

/// `Doublings` transposed convolutions of stride 2 that begin as bilinear interpolation; 17 parameters each.
template <std::size_t Doublings>
struct upsampler : decltype(detail::doublings<>::of<Doublings>()) {};

namespace attend {
/// One map at random in training, their mean at inference.
struct random {
  static at::Tensor of(at::Tensor const& maps, pass& p) {
    if (!p.training()) return maps.mean(1, /*keepdim=*/true);
    // u in (0, 1] selects map ceil(u M) - 1. By a one-hot product: the gradient of a gather is not deterministic on a GPU.
    std::int64_t const count = maps.size(1);
    at::Tensor const chosen  = p.uniform(purpose::attention, maps).mul(count).ceil().sub(1).to(at::kLong).unsqueeze(1);
    at::Tensor const one_hot = chosen.eq(at::arange(count, chosen.options())).to(maps.scalar_type());
    return maps.mul(one_hot.view({maps.size(0), count, 1, 1})).sum(1, /*keepdim=*/true);
  }
};
/// The mean of the maps.
struct mean {
  static at::Tensor of(at::Tensor const& maps, pass&) { return maps.mean(1, /*keepdim=*/true); }
};

/// The mask without numbers below 0, divided by its maximum. One that is 1e-3 or less everywhere, as of an attention map that is zero, is not
/// divided: the gradient of its pixels would be as large as the divisor is small.
struct unit {
  static at::Tensor of(at::Tensor const& mask) {
    at::Tensor const positive = mask.relu(), most = positive.amax({2, 3}, /*keepdim=*/true);
    return positive.div(most.masked_fill(most.le(1e-3), 1));
  }
};
/// The mask as unit gives it, mixed with 1: what is not attended to keeps `Floor` of its intensity.
template <auto Floor>
struct dimmed {
  static at::Tensor of(at::Tensor const& mask) { return unit::of(mask).mul(1.0 - Floor).add(static_cast<double>(Floor)); }
};
/// The mask as it is.
struct raw {
  static at::Tensor of(at::Tensor const& mask) { return mask; }
};
}  // namespace attend

namespace encode {

namespace detail {
/// The coarse network's attention maps.
inline at::Tensor attention_maps(pass const& p) {
  at::Tensor const maps = p.output("coarse.attention");
  if (!maps.defined())
    throw input_error(
        "an encoder reads the attention maps of the coarse network, which has none; end the shared backbone, or the coarse network, in "
        "c2f::attention_pooling<8>");
  return maps;
}
template <class Range>
at::Tensor mask_of(at::Tensor const& map, at::Tensor const& x, pass& p) {
  at::Tensor const z = Range::of(resize_bilinear(map, x.size(2), x.size(3)));
  p.add_output("mask", z);
  return z;
}
}  // namespace detail

/// A mask of one map, or of their mean.
template <class Up = upsampler<2>, class Choice = attend::random, class Range = attend::unit>
struct attention {
  template <class Kind, image_shape Like>
  struct on {
    using output = with_channels<Like, 1>;
    network_on<Up, image<1, dynamic, dynamic>> up;
    C2F_MEMBERS(up);

    at::Tensor operator()(at::Tensor const&, at::Tensor const& x, pass& p) const {
      return detail::mask_of<Range>(up(Choice::of(detail::attention_maps(p), p), p.mode), x, p);
    }
  };
};

/// A mask of the maps that matter for a class.
template <std::int64_t Maps, class Up = upsampler<2>, class Range = attend::unit>
struct class_attention {
  template <shaped_as_raw Kind, image_shape Like>
    requires vector_shape<typename Kind::template output<Like>>
  struct on {
    using output = with_channels<Like, 1>;
    network_on<Up, image<1, dynamic, dynamic>> up;
    parameter<initial::zeros, Kind::template output<Like>::channels, Maps> weight;
    C2F_MEMBERS(up, weight);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const {
      at::Tensor const maps = detail::attention_maps(p);
      if (maps.size(1) != Maps)
        throw input_error("c2f::encode::class_attention weighs " + std::to_string(Maps) + " attention maps, and the coarse network has " +
                          std::to_string(maps.size(1)) + "; give it the number of c2f::attention_pooling");
      at::Tensor const weights = y.to(at::kFloat).matmul(weight.tensor()).softmax(1).to(maps.scalar_type());
      at::Tensor const map     = maps.mul(weights.view({maps.size(0), Maps, 1, 1})).sum(1, /*keepdim=*/true);
      return detail::mask_of<Range>(up(map, p.mode), x, p);
    }
  };
};

/// The sum of what two encoders give.
template <class First, class Second>
struct sum {
  template <class Kind, image_shape Like>
    requires(image_shape<typename First::template on<Kind, Like>::output> && image_shape<typename Second::template on<Kind, Like>::output>)
  struct on {
    using first_map  = typename First::template on<Kind, Like>::output;
    using second_map = typename Second::template on<Kind, Like>::output;
    using output     = std::conditional_t<(first_map::channels > second_map::channels), first_map, second_map>;
    typename First::template on<Kind, Like> first;
    typename Second::template on<Kind, Like> second;
    C2F_MEMBERS(first, second);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const { return first(y, x, p).add(second(y, x, p)); }
  };
};

}  // namespace encode
}  // namespace c2f
