// c2f/layers/centred.hpp: draws the features of a class to their centre, which is learnt as a moving average (centre loss).
//
//   using trunk = c2f::sequential<backbone, c2f::attention_pooling<8>, c2f::centred<c2f::class_vector<200>>>;
//
// [N, D] -> the same. In training it adds the loss "centre", Lambda times the mean over the batch (eq. 2: over the classes) of |f - c|^2,
// where c is the centre of the sample's class (Wen et al. 2016; Coarse2Fine, eq. 2 and 4), and then moves the centre of each class in the
// batch by `Beta` towards the mean of the class's samples (eq. 3; Beta is not published, .05 is WS-DAN's). A mean does not depend on the
// order of the batch. f is the input divided by `Scale`, that of c2f::attention_pooling: the loss is on features of length 1, as in WS-DAN's
// code. A sample without a class is left out; one with several labels has the mean of their centres.
//
// In a trunk that runs twice (share::backbone) both passes add a loss, "coarse.centre" and "fine.centre", and move the same centres.
// The centres [K, D] begin at 0 and are a buffer: they are in checkpoints and model files, and a step that is skipped does not move them.
// In several processes each moves them by its own samples, and their mean is kept: a class in the part of one of P processes moves by Beta / P.
// Cost: K * D numbers of memory (200 classes of 8 x 768: 4.9 MB) and two products [N, K] x [K, D]. Errors: a map as input is a compile
// error; so is a weight below 0 or a Beta outside of [0, 1].
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/core/grad_mode.h>

namespace c2f {

namespace detail {
template <auto Lambda, auto Beta>
consteval bool check_centred() {
  static_assert(Lambda >= 0 && Beta >= 0 && Beta <= 1,
                "c2f::centred needs a weight of 0 or more and a rate from 0 to 1; write c2f::centred<kind, 1.0, 0.05>");
  return true;
}
}  // namespace detail

template <class Kind, auto Lambda = 1.0, auto Beta = 0.05, std::int64_t Scale = 100>
struct centred : detail::static_check<detail::check_centred<Lambda, Beta>()> {
  template <shape In>
  struct on : detail::static_check<detail::check_vector<centred, In>()> {
    using output                          = detail::output_if<vector_shape<In>, In>;
    static constexpr std::int64_t classes = Kind::template output<image<1, 1, 1>>::channels;

    buffer<initial::zeros, classes, In::channels> centres;
    C2F_MEMBERS(centres);

    at::Tensor operator()(at::Tensor const& f, mode) const { return f; }
    at::Tensor operator()(at::Tensor const& f, pass& p) const {
      if (!p.training()) return f;
      at::Tensor const values = f.to(at::kFloat).div(static_cast<double>(Scale)), belongs = Kind::from_truth(p.truth).to(at::kFloat);
      at::Tensor const labels = belongs.sum(1, /*keepdim=*/true), counted = labels.gt(0);
      at::Tensor const own = belongs.div(labels.clamp_min(1)).matmul(centres.tensor());
      p.add("centre", values.sub(own).mul(counted).square().sum().div(counted.sum().clamp_min(1)).mul(static_cast<double>(Lambda)));
      move(values.detach(), belongs);
      return f;
    }

   private:
    void move(at::Tensor const& values, at::Tensor const& belongs) const {
      at::NoGradGuard const no_gradients;
      at::Tensor const count = belongs.sum(0).unsqueeze(1), mean = belongs.t().matmul(values).div(count.clamp_min(1));
      centres.tensor().add_(mean.sub(centres.tensor()).mul(count.gt(0)), static_cast<double>(Beta));
    }
  };
};

}  // namespace c2f
