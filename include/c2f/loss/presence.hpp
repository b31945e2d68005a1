// c2f/loss/presence.hpp: the binary cross-entropy of the presence of classes, for c2f::boxes with several of them.
//
//   c2f::loss::presence::of(raw, truth);       // raw [N, 5K], truth [N, K, 5] -> a scalar, the mean over samples and classes
//
// The fifth number of a class in raw is the logit of its presence, that in truth is 1 if it is present, else 0. In float for every element
// type of raw. The default loss of c2f::boxes<K> with K > 1 is loss::sum<loss::log_l1, loss::presence>.
#pragma once

#include <ATen/ops/binary_cross_entropy_with_logits.h>

#include <cstdint>

namespace c2f::loss {

struct presence {
  template <class Kind>
  static constexpr bool serves = requires { requires Kind::has_presence; };

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    std::int64_t const n = truth.size(0), classes = truth.size(1);
    return at::binary_cross_entropy_with_logits(raw.to(at::kFloat).view({n, classes, -1}).select(2, 4), truth.select(2, 4).to(at::kFloat));
  }
};

}  // namespace c2f::loss
