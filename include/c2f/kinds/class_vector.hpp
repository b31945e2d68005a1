// c2f/kinds/class_vector.hpp: one of K classes for an image.
//
//   using network = c2f::resnet_cifar<20, c2f::class_vector<100>>;
//
//   raw         [N, K] logits
//   prediction  [N, K], the softmax of raw; the truth one-hot
//   truth       [N] int64 in 0 ... K-1; -100 for a sample without a class, which loss and metrics ignore (one-hot: zeros); or
//               [N, K] float, how much each class counts: a mixture of samples, a smoothed or weighed label (data/mixed.hpp)
// Ren et al. 2020, section 3.1: "y^C is a single value or class vector", encoded by tiling. Errors: fewer than two classes is a compile
// error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/cross_entropy.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Classes>
consteval bool check_classes() {
  static_assert(Classes >= 2, "c2f::class_vector needs two classes or more; a yes or no is two");
  return true;
}
}  // namespace detail

/// The kind "one of K classes"; see the top of this file.
template <std::int64_t Classes>
struct class_vector : detail::static_check<detail::check_classes<Classes>()> {
  static constexpr char const* name     = "class_vector";
  static constexpr std::int64_t classes = Classes, labels = Classes;
  static constexpr bool distribution = true;
  static constexpr bool one_hot      = true;  ///< predictions are softmax(raw), truths one-hot
  template <shape In>
  using output          = vector<(Classes < 1 ? 1 : Classes)>;
  using truth_value     = std::int64_t;
  using default_encoder = encode::tile<>;
  using default_loss    = loss::cross_entropy;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  static constexpr bool weighed_truths = true;  ///< takes both forms of a truth

  static at::Tensor predict(at::Tensor const& raw) { return raw.softmax(1); }
  static at::Tensor log_predict(at::Tensor const& raw) { return detail::log_softmax(raw); }
  static at::Tensor from_truth(at::Tensor const& truth) {
    if (truth.is_floating_point()) return truth.div(truth.sum(1, /*keepdim=*/true).clamp_min(1e-12));
    return truth.unsqueeze(1).eq(at::arange(Classes, truth.options())).to(at::kFloat);  // zeros for a sample without a class
  }

  /// The most likely class, [N].
  static at::Tensor labels_of(at::Tensor const& raw) { return raw.argmax(1); }
  /// The class that counts most, [N] int64; -100 where none does.
  static at::Tensor class_of(at::Tensor const& truth) {
    if (!truth.is_floating_point()) return truth;
    return truth.argmax(1).masked_fill(truth.sum(1).eq(0), loss::cross_entropy::no_class);
  }
  /// {whether the most likely class is the true one, whether there is one}, [N] bool each.
  static std::pair<at::Tensor, at::Tensor> correct(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor const label = class_of(truth);
    return {labels_of(raw).eq(label), label.ge(0)};
  }

  /// 1 where both have the same most likely class, else 0, [N].
  static at::Tensor agreement(at::Tensor const& a, at::Tensor const& b) { return a.argmax(1).eq(b.argmax(1)).to(at::kFloat); }

  /// The truth; with probability `rate` another class than the one that counts most, drawn uniformly. No class stays none.
  static constexpr double corrupt_rate = 0.1;
  static at::Tensor corrupt(at::Tensor const& truth, double rate, pass const& p) {
    at::Tensor const before   = class_of(truth);
    at::Tensor damaged        = before.to(at::kCPU, at::kLong).clone();
    std::int64_t* const label = damaged.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < damaged.size(0); ++i) {
      random_stream random = p.draws(purpose::corrupt, i);
      if (label[i] >= 0 && random.uniform() <= rate)
        label[i] = (label[i] + 1 + random.below(static_cast<std::uint32_t>(Classes - 1))) % Classes;
    }
    damaged = damaged.to(truth.device());
    if (!truth.is_floating_point()) return damaged;
    return at::where(damaged.eq(before).unsqueeze(1), truth, from_truth(damaged).to(truth.scalar_type()));
  }

  template <image_shape In>
  static at::Tensor example(std::int64_t n) {
    return at::arange(n, at::TensorOptions(at::kLong)).remainder(Classes);
  }

  /// Accuracies of the samples that have a class: `top1`, and `top5` for a true class among the five highest scores (all, if there are fewer
  /// than five). 0 where none has one.
  struct score {
    std::int64_t samples = 0, counted = 0, top1 = 0, top5 = 0;

    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const label = class_of(truth);
      at::Tensor const best  = std::get<1>(raw.topk(std::min<std::int64_t>(5, Classes), 1)).eq(label.unsqueeze(1));
      samples += truth.size(0);
      counted += label.ge(0).sum().template item<std::int64_t>();
      top1 += best.select(1, 0).sum().template item<std::int64_t>();
      top5 += best.sum().template item<std::int64_t>();
    }
    void add(score const& other) {
      samples += other.samples, counted += other.counted;
      top1 += other.top1, top5 += other.top5;
    }
    /// Name and value of each metric, the primary metric first.
    [[nodiscard]] std::array<std::pair<char const*, double>, 2> values() const {
      double const all = static_cast<double>(std::max<std::int64_t>(counted, 1));
      return {{{"top1", static_cast<double>(top1) / all}, {"top5", static_cast<double>(top5) / all}}};
    }
  };
};

}  // namespace c2f
