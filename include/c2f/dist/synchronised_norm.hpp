// c2f/dist/synchronised_norm.hpp: batch normalisation with the statistics of the samples of several processes.
//
//   at::Tensor const y = world.batch_norm(x, at::ones({64}), at::zeros({64}), at::zeros({64}), at::ones({64}), 1e-5);
//
// Per channel, forward sums number, sum and sum of squares of all values, in double, and backward the sums of dy and dy * x_hat: one exchange
// each. The gradients of weight and bias are those of this process's samples; the sum of all gradients adds the others. x is [N, C, ...].
// Costs: three passes over x forward, four backward. Memory: x and two numbers per channel. Error: input_error for fewer than two values of
// a channel in all processes together.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/execution/communicator.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/ones.h>

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <vector>

namespace c2f::dist::detail {

struct synchronised_norm : torch::autograd::Function<synchronised_norm> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const& x, at::Tensor const& weight,
                            at::Tensor const& bias, at::Tensor const& running_mean, at::Tensor const& running_var, double eps,
                            communicator* world) {
    std::int64_t const channels          = x.size(1);
    std::vector<std::int64_t> const over = all_but_channels(x);
    at::Tensor const values = x.to(at::kFloat), middle = values.mean(over), centred = values.sub(in_channels(middle, x));
    double const number   = static_cast<double>(x.numel()) / static_cast<double>(channels);
    at::Tensor const wide = middle.to(at::kDouble), squares = centred.mul(centred).sum(over, false, at::kDouble);
    at::Tensor const all = at::cat({wide.mul(number), squares.add(wide.mul(wide).mul(number)), at::full({1}, number, wide.options())});
    world->sum(all);
    at::Tensor const count = all.select(0, 2 * channels);
    if (count.is_cpu() && count.item<double>() < 2)
      throw input_error(
          "a norm in training needs two values of each channel or more, and all processes together have one; train on batches of more "
          "samples");
    at::Tensor const mean     = all.narrow(0, 0, channels).div(count);
    at::Tensor const variance = all.narrow(0, channels, channels).div(count).sub(mean.mul(mean)).clamp_min(0);
    at::Tensor const invstd = variance.add(eps).rsqrt().to(at::kFloat), mean_of_all = mean.to(at::kFloat);
    running_mean.mul_(0.9).add_(mean_of_all, 0.1);
    running_var.mul_(0.9).add_(variance.mul(count).div(count.sub(1)).to(at::kFloat), 0.1);
    context->save_for_backward({x, weight, mean_of_all, invstd, count});
    context->saved_data["world"] = static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(world));
    at::Tensor const scale = invstd.mul(weight), shift = bias.sub(mean_of_all.mul(scale));
    return values.mul(in_channels(scale, x)).add_(in_channels(shift, x)).to(x.scalar_type());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& gradients) {
    auto const saved    = context->get_saved_variables();
    at::Tensor const &x = saved[0], &weight = saved[1], &mean = saved[2], &invstd = saved[3], &count = saved[4];
    auto* const world           = reinterpret_cast<communicator*>(static_cast<std::intptr_t>(context->saved_data["world"].toInt()));
    std::int64_t const channels = x.size(1);
    std::vector<std::int64_t> const over = all_but_channels(x);
    at::Tensor const dy                  = gradients[0].to(at::kFloat);
    at::Tensor const normal              = x.to(at::kFloat).sub(in_channels(mean, x)).mul(in_channels(invstd, x));
    at::Tensor const dbias = dy.sum(over, false, at::kDouble), dweight = dy.mul(normal).sum(over, false, at::kDouble);
    at::Tensor const all = at::cat({dbias, dweight});
    world->sum(all);
    at::Tensor const means = all.div(count).to(at::kFloat);
    at::Tensor const dx    = dy.sub(in_channels(means.narrow(0, 0, channels), x))
                              .sub_(normal.mul(in_channels(means.narrow(0, channels, channels), x)))
                              .mul_(in_channels(invstd.mul(weight), x));
    return {dx.to(x.scalar_type()),
            dweight.to(weight.scalar_type()),
            dbias.to(weight.scalar_type()),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }

 private:
  static std::vector<std::int64_t> all_but_channels(at::Tensor const& x) {
    std::vector<std::int64_t> over{0};
    for (std::int64_t i = 2; i < x.dim(); ++i) over.push_back(i);
    return over;
  }
  // [C] so that it applies to x.
  static at::Tensor in_channels(at::Tensor const& each, at::Tensor const& x) {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(x.dim()), 1);
    sizes[1] = x.size(1);
    return each.view(sizes);
  }
};

}  // namespace c2f::dist::detail
