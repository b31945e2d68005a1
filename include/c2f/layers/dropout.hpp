// c2f/layers/dropout.hpp: in training, sets each element to 0 with probability P and multiplies the rest by 1 / (1 - P).
//
//   c2f::dropout<0.5>      keeps the shape
//
// Srivastava et al., "Dropout", JMLR 2014. The dropped elements are a function of (seed, epoch, sample id, index of the dropout layer in
// the pass), independent of batch and threads. Where a sample has several rows, such as crops of an image, they are drawn one behind the
// other. A network with dropout therefore needs the whole pass: the stack, c2f::sequential, repeat and residual pass it on. Called with a
// mode only, it supports c2f::eval only.
// Cost: one random number per element; drawn by a kernel where there is a fused operation and the pass has its ids on the device, else on
// the host. Errors: training without a pass throws c2f::error, as do samples with different numbers of rows; an invalid P is a compile error.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/execution/try_fused.hpp>
#include <c2f/core/pass.hpp>

#include <ATen/ops/empty.h>

namespace c2f {

namespace detail {
template <double P>
consteval bool check_dropout() {
  static_assert(P >= 0 && P < 1, "c2f::dropout needs a probability from 0 to below 1; write c2f::dropout<0.5>");
  return true;
}
}  // namespace detail

template <double P = 0.5>
struct dropout : detail::static_check<detail::check_dropout<P>()> {
  template <shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      if (m == train) throw error("c2f::dropout draws from the pass; train this network in a c2f::stack, or call it with a c2f::pass");
      return x;
    }
    at::Tensor operator()(at::Tensor const& x, pass& p) const {
      if (!p.training() || P == 0) return x;
      std::uint32_t const index = p.drops++;  // of this dropout layer in the pass
      auto const what           = static_cast<purpose>(static_cast<std::uint32_t>(purpose::dropout) + (index << 16));
      std::int64_t const rows = x.size(0), samples = p.samples_of(rows);
      if (p.device != nullptr) {
        // The rows of a sample are one sample of the kernel.
        at::Tensor const of_samples = rows == samples ? x : x.unflatten(0, {samples, rows / samples});
        at::Tensor const y = try_fused::dropout(of_samples, p.device->ids, p.device->keys, P, static_cast<std::uint32_t>(p.here(what)));
        if (y.defined()) return rows == samples ? y : y.flatten(0, 1);
      }
      at::Tensor const keep   = at::empty(x.sizes(), at::TensorOptions(at::kFloat));
      float* number           = keep.template mutable_data_ptr<float>();
      std::int64_t const each = samples > 0 ? x.numel() / samples : 0;
      for (std::int64_t i = 0; i < samples; ++i) {
        random_stream random = p.draws(what, i);
        for (std::int64_t k = 0; k < each; ++k) *number++ = random.uniform() > P ? static_cast<float>(1 / (1 - P)) : 0.0f;
      }
      return x.mul(keep.to(x.device(), x.scalar_type()));
    }
  };
};

}  // namespace c2f
