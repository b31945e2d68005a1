// c2f/layers/attention_pooling.hpp: bilinear attention pooling of a map of features into a vector.
//
//   using trunk = c2f::sequential<backbone, c2f::attention_pooling<8>>;                               // [N, C, H, W] -> [N, 8 C]
//   using plain = c2f::attention_pooling<8, c2f::initial::uniform<>>;                                 // rows that begin at random
//   using apart = c2f::attention_pooling<8, c2f::initial::orthogonal<>, c2f::overlap_penalty<1, 0.1>>;   // maps may not overlap
//
// A 1x1 convolution without bias and a ReLU make `Maps` attention maps a_k; row k of the result is the mean over the positions of a_k times
// the features (WS-DAN, Hu et al. 2019; Coarse2Fine, eq. 1). The rows are laid end to end, y = sign(y) sqrt(|y| + 1e-12), brought to the
// length 1, and multiplied by `Scale`, 100 as in WS-DAN, so that a linear layer after it learns at usual learning rates. In float for any
// type of x: the root has the gradient 5e5 at 1e-12.
//
// The maps are the side output "attention", [N, Maps, H, W]. Their weight [Maps, C, 1, 1] begins with orthonormal rows. Coarse2Fine takes
// the rows of V^T of the singular value decomposition of a random matrix; initial::orthogonal takes the Q of its QR decomposition. Of a
// matrix of normal random numbers both are uniformly distributed over all orthonormal rows, so this is the same initial value in
// distribution.
//
// overlap_penalty adds a loss: the mean over all pairs of maps and all positions of |a_i a_j| (Norm 1) or (a_i a_j)^2 (Norm 2), times
// `Weight`. Coarse2Fine reports that both "reduced the accuracy".
// Cost: the convolution and one product of matrices, [Maps, H W] x [H W, C], for each image. Errors: an input that is not a map is a
// compile error, as are a penalty of another norm and fewer than two maps with one.
#pragma once

#include <c2f/core/pass.hpp>
#include <c2f/layers/conv.hpp>

#include <cmath>

namespace c2f {

/// Attention maps may overlap.
struct no_penalty {};

namespace detail {
template <int Norm, auto Weight>
consteval bool check_overlap_penalty() {
  static_assert((Norm == 1 || Norm == 2) && Weight >= 0,
                "c2f::overlap_penalty has norm 1 or 2 and a weight of 0 or more; write c2f::overlap_penalty<1, 0.1>");
  return true;
}
template <std::int64_t Maps>
consteval bool check_attention_maps() {
  static_assert(Maps >= 1, "c2f::attention_pooling needs one attention map or more; write c2f::attention_pooling<8>");
  return true;
}
}  // namespace detail

/// A loss on the product of each pair of attention maps.
template <int Norm, auto Weight>
struct overlap_penalty : detail::static_check<detail::check_overlap_penalty<Norm, Weight>()> {
  /// maps [N, M, H, W], 0 or more -> a scalar. The sum over pairs is that over all minus that of each with itself.
  static at::Tensor of(at::Tensor const& maps) {
    at::Tensor const a    = Norm == 1 ? maps.to(at::kFloat) : maps.to(at::kFloat).square();
    double const ordered  = static_cast<double>(maps.size(1) * (maps.size(1) - 1));
    at::Tensor const both = a.sum(1).square().sub(a.square().sum(1));
    return both.mean().mul(static_cast<double>(Weight) / (ordered > 0 ? ordered : 1));
  }
};

template <std::int64_t Maps, class Initial = initial::orthogonal<>, class Penalty = no_penalty, std::int64_t Scale = 100>
struct attention_pooling : detail::static_check<detail::check_attention_maps<Maps>()> {
  template <shape In>
  struct on : detail::static_check<detail::check_map<attention_pooling, In>()> {
    using map    = detail::as_map<In>;
    using output = detail::output_if<image_shape<In> && !detail::is_wrong<In>, vector<(Maps < 1 ? 1 : Maps) * map::channels>>;

    network_on<conv<(Maps < 1 ? 1 : Maps), 1, 1, 0, no_bias, 1, Initial>, map> attention;
    C2F_MEMBERS(attention);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return pooled(x, attention.then_relu(x, m)); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const {
      at::Tensor const maps = attention.then_relu(x, p.mode);
      p.add_output("attention", maps);
      if constexpr (requires { Penalty::of(maps); })
        if (p.training()) p.add("overlap", Penalty::of(maps));
      return pooled(x, maps);
    }

    /// The pooled features, of maps that are given.
    static at::Tensor pooled(at::Tensor const& x, at::Tensor const& maps) {
      at::Tensor const features = x.flatten(2).transpose(1, 2).to(at::kFloat);
      at::Tensor const rows     = maps.flatten(2).to(at::kFloat).matmul(features).div(x.size(2) * x.size(3)).flatten(1);
      at::Tensor const root     = rows.sign().mul(rows.abs().add(1e-12).sqrt());
      return root.div(root.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12)).mul(static_cast<double>(Scale)).to(x.scalar_type());
    }
  };
};

}  // namespace c2f
