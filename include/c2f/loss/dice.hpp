// c2f/loss/dice.hpp: the Dice loss of a soft mask.
//
//   c2f::loss::dice<>::of(raw, truth);              // raw [N, K, H, W], truth [N, H, W] int64 -> a scalar
//   using loss = c2f::loss::dice<-1>;               // if the ignored label is -1
//
// The mean over samples and classes of 1 - (2 sum(p y) + e) / (sum(p) + sum(y) + e), e = 1e-6, with sums over pixels. p is the sigmoid of
// raw if K is 1, else the softmax; y is 1 where the truth is the class. This is the loss of RSTN (Yu et al., CVPR 2018; e in numerator and
// denominator as in its PyTorch code): a sample with an empty mask has loss 0 if p is 0. Pixels with truth `Ignore` are ignored. Computed
// in float for every element type of raw. For c2f::dense with the same ignored label (`serves`).
#pragma once

#include <c2f/core/kind.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>

#include <cstdint>

namespace c2f::loss {

template <std::int64_t Ignore = 255>
struct dice {
  template <class Kind>
  static constexpr bool serves = labelled_kind<Kind, Ignore>;

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    bool const one          = raw.size(1) == 1;
    at::Tensor const logits = raw.to(at::kFloat), counted = truth.ne(Ignore).unsqueeze(1);
    at::Tensor const classes = at::arange(one ? 1 : 0, one ? 2 : raw.size(1), truth.options()).view({1, -1, 1, 1});
    at::Tensor const p = (one ? logits.sigmoid() : logits.softmax(1)).mul(counted), y = truth.unsqueeze(1).eq(classes).to(at::kFloat);
    at::Tensor const common = p.mul(y).sum({2, 3}), all = p.sum({2, 3}).add(y.sum({2, 3}));
    return common.mul(2).add(1e-6).div(all.add(1e-6)).mean().neg().add(1);
  }
};

}  // namespace c2f::loss
