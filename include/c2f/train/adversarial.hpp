// c2f/train/adversarial.hpp: images that are changed a little, so that a network errs on them.
//
//   at::Tensor const fooling = c2f::adversarial(net, images, labels, 0.02);      // labels [N], none of which is ignored
//
// The fast gradient sign method, x + epsilon * sign(gradient of the cross-entropy at x), of Goodfellow et al., "Explaining and harnessing
// adversarial examples", ICLR 2015, eq. 1. epsilon is in units of the pixels that the network sees; nothing is clamped. The pass is one of
// inference: norms use their running statistics and keep them. No gradient of a parameter is computed or changed, also within a training
// step. The examples are float, also of images in bfloat16, which would round epsilon by a third: a network computes on them in float.
// Cost: a pass, and a backward pass to the pixels.
#pragma once

#include <c2f/core/pass.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>

namespace c2f {

/// x + epsilon * sign(gradient of the cross-entropy of the network at `labels`), by a pass at inference; [N, C, H, W], labels [N].
template <class Network>
[[nodiscard]] at::Tensor adversarial(Network const& network, at::Tensor const& x, at::Tensor const& labels, double epsilon) {
  at::AutoGradMode const gradients(true);
  at::Tensor const pixels = x.detach().clone().set_requires_grad(true);
  pass p;
  at::cross_entropy_loss(at::Tensor(run_network(network, pixels, p)).to(at::kFloat), labels)
      .backward({}, std::nullopt, false, at::TensorList(pixels));
  return x.detach().to(at::kFloat).add(pixels.grad().sign(), epsilon);
}

}  // namespace c2f
