// c2f/kinds/multi_label.hpp: K independent yes-or-no attributes of an image.
//
//   using network = c2f::resnet_cifar<20, c2f::multi_label<40>>;
//
//   raw         [N, K] logits
//   prediction  [N, K], the sigmoid of raw: the probability of each yes
//   truth       float [N, K]: 1 for yes, 0 for no, NaN for unknown, which loss and metrics leave out (c2f::unknown); numbers between 0 and 1
//               are probabilities in the loss, and yes from .5 on in metrics
// In a truth used as conditioning, what is unknown is 0.
//
// Metrics: `map`, the mean over the attributes of the average precision, sum of (R_n - R_(n-1)) P_n over the different scores, as scikit-learn's
// average_precision_score; `accuracy` and `f1`, the means over the attributes of accuracy and F1 of p >= .5. Left out of a mean are attributes
// for which it is not defined: without a known truth (accuracy), without a yes in the truths (map), or in truths and answers (f1).
// Cost: a score holds 8 bytes for each attribute of each sample. Errors: fewer than one attribute is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/packed.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/core/unknown.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/binary_cross_entropy.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace c2f {

namespace detail {
template <std::int64_t Attributes>
consteval bool check_attributes() {
  static_assert(Attributes >= 1, "c2f::multi_label needs one attribute or more; write c2f::multi_label<40>");
  return true;
}

/// The average precision of (score, whether it is a yes), with `positives` of them; scores of one value are ranked together. NaN if a
/// score is NaN.
inline double average_precision(std::vector<std::pair<float, bool>> ranked, std::int64_t positives) {
  if (std::ranges::any_of(ranked, [](auto const& each) { return std::isnan(each.first); })) return std::nan("");
  std::ranges::sort(ranked, [](auto const& a, auto const& b) { return a.first > b.first; });
  double sum         = 0;
  std::int64_t found = 0;
  for (std::size_t i = 0; i < ranked.size();) {
    std::int64_t const before = found;
    float const score         = ranked[i].first;
    for (; i < ranked.size() && ranked[i].first == score; ++i) found += ranked[i].second;
    sum += static_cast<double>(found - before) * static_cast<double>(found) / static_cast<double>(i);
  }
  return sum / static_cast<double>(positives);
}
}  // namespace detail

/// The kind "K yes-or-no attributes"; see the top of this file.
template <std::int64_t Attributes>
struct multi_label : detail::static_check<detail::check_attributes<Attributes>()> {
  static constexpr char const* name        = "multi_label";
  static constexpr std::int64_t attributes = Attributes < 1 ? 1 : Attributes, classes = attributes;
  static constexpr bool elementwise = true;
  template <shape In>
  using output          = vector<attributes>;
  using truth_value     = float;
  using default_encoder = encode::tile<>;
  using default_loss    = loss::binary_cross_entropy<>;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 1> truth_dims{attributes};

  static at::Tensor predict(at::Tensor const& raw) { return raw.sigmoid(); }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth.nan_to_num(0); }

  /// 1 where yes is at least as likely as no, else 0, [N, K].
  static at::Tensor labels_of(at::Tensor const& raw) { return raw.ge(0).to(at::kFloat); }
  /// {whether an attribute is answered correctly, whether its truth is known}, [N, K] bool each.
  static std::pair<at::Tensor, at::Tensor> correct(at::Tensor const& raw, at::Tensor const& truth) {
    return {raw.ge(0).eq(truth.ge(.5)), truth.eq(truth)};
  }
  /// The fraction of the attributes with the same answer, [N].
  static at::Tensor agreement(at::Tensor const& a, at::Tensor const& b) { return a.ge(0).eq(b.ge(0)).to(at::kFloat).mean(1); }
  /// A truth that is wrong by as much as another prediction is, attribute by attribute. All [N, K], as predictions.
  static at::Tensor with_error_of(at::Tensor const& other, at::Tensor const& other_truth, at::Tensor const& truth) {
    return at::where(truth.eq(other_truth), other, other.neg().add(1));
  }

  /// The logit of a prediction, such as the mean of several.
  static at::Tensor raw_of_prediction(at::Tensor const& prediction) { return prediction.logit(1e-7); }

  /// The truth; each attribute with probability `rate` the other answer.
  static constexpr double corrupt_rate = 0.1;
  static at::Tensor corrupt(at::Tensor const& truth, double rate, pass const& p) {
    at::Tensor damaged = truth.to(at::kCPU, at::kFloat).clone(at::MemoryFormat::Contiguous);
    float* answer      = damaged.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < damaged.size(0); ++i) {
      random_stream random = p.draws(purpose::corrupt, i);
      for (std::int64_t k = 0; k < attributes; ++k, ++answer)
        if (random.uniform() <= rate) *answer = 1 - *answer;
    }
    return damaged.to(truth.device());
  }

  /// Attribute k is a yes in every (k + 2)-th sample.
  template <image_shape In>
  static at::Tensor example(std::int64_t n) {
    at::TensorOptions const whole(at::kLong);
    at::Tensor const number = at::arange(n, whole).unsqueeze(1), period = at::arange(2, attributes + 2, whole);
    return number.remainder(period).eq(0).to(at::kFloat);
  }

  /// See the top of this file.
  struct score {
    std::int64_t samples = 0;

    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const logits = raw.to(at::kCPU, at::kFloat).contiguous(), answers = truth.to(at::kCPU, at::kFloat).contiguous();
      float const *x = logits.template const_data_ptr<float>(), *y = answers.template const_data_ptr<float>();
      for (std::int64_t i = 0; i < truth.size(0); ++i)
        for (auto& of : scored_) {
          if (!std::isnan(*y)) of.emplace_back(*x, *y >= .5f);
          ++x, ++y;
        }
      samples += truth.size(0);
    }
    void add(score const& other) {
      samples += other.samples;
      for (std::size_t k = 0; k < scored_.size(); ++k)
        scored_[k].insert(scored_[k].end(), other.scored_[k].begin(), other.scored_[k].end());
    }
    /// For processes that score together (train/evaluate.hpp).
    void put(detail::packer& to) const { to(samples, scored_); }
    void take(detail::unpacker& from) { from(samples, scored_); }

    /// Name and value of each metric, the primary metric first.
    [[nodiscard]] std::array<std::pair<char const*, double>, 3> values() const {
      mean precision, accuracy, f1;
      for (auto const& of : scored_) {
        std::int64_t yes = 0, answered = 0, both = 0, right = 0;
        for (auto const& [logit, truth] : of) {
          if (std::isnan(logit)) return {{{"map", std::nan("")}, {"accuracy", std::nan("")}, {"f1", std::nan("")}}};
          bool const answer = logit >= 0;
          yes += truth, answered += answer, both += truth && answer, right += truth == answer;
        }
        if (!of.empty()) accuracy.add(static_cast<double>(right) / static_cast<double>(of.size()));
        if (yes > 0) precision.add(detail::average_precision(of, yes));
        if (yes + answered > 0) f1.add(2 * static_cast<double>(both) / static_cast<double>(yes + answered));
      }
      return {{{"map", precision.value()}, {"accuracy", accuracy.value()}, {"f1", f1.value()}}};
    }

   private:
    struct mean {
      double sum = 0, count = 0;
      void add(double each) { sum += each, ++count; }
      [[nodiscard]] double value() const { return count > 0 ? sum / count : 0; }
    };
    // By attribute: the logit of each sample with a known truth, and whether that is yes.
    std::vector<std::vector<std::pair<float, bool>>> scored_ =
        std::vector<std::vector<std::pair<float, bool>>>(static_cast<std::size_t>(attributes));
  };
};

}  // namespace c2f
