// c2f/kinds/regression.hpp: D real numbers for an image: an age, a pose, counts.
//
//   using network = c2f::resnet_cifar<20, c2f::regression<2>>;
//   using loss    = c2f::loss::mse;                                // of a task; the default is c2f::loss::smooth_l1<>
//
//   raw         [N, D], the numbers themselves
//   prediction  the same
//   truth       float [N, D]; NaN for an unknown number, which loss and metrics leave out (c2f::unknown)
// In a truth used as conditioning, what is unknown is 0. Numbers train best at a mean near 0 and a deviation near 1: divide them, or let
// data/datasets/picture_table.hpp do it.
//
// Metrics: `r2`, the mean over the D numbers of 1 - (sum of squared errors) / (sum of squared differences from the mean), as scikit-learn's
// r2_score: 1 is perfect, 0 what the mean would get; `mae` and `rmse`, the mean absolute error and the root of the mean squared error of all
// known numbers. A number that is the same in all truths has an r2 of 1 if every error is 0, else 0.
// Errors: fewer than one number is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/core/unknown.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/distance.hpp>

#include <ATen/ops/stack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Dimensions>
consteval bool check_dimensions() {
  static_assert(Dimensions >= 1, "c2f::regression needs one number or more; write c2f::regression<1>");
  return true;
}
}  // namespace detail

/// The kind "D real numbers"; see the top of this file.
template <std::int64_t Dimensions>
struct regression : detail::static_check<detail::check_dimensions<Dimensions>()> {
  static constexpr char const* name        = "regression";
  static constexpr std::int64_t dimensions = Dimensions < 1 ? 1 : Dimensions;
  static constexpr bool elementwise        = true;
  template <shape In>
  using output          = vector<dimensions>;
  using truth_value     = float;
  using default_encoder = encode::tile<>;
  using default_loss    = loss::smooth_l1<>;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 1> truth_dims{dimensions};

  static at::Tensor predict(at::Tensor const& raw) { return raw; }
  static at::Tensor raw_of_prediction(at::Tensor const& prediction) { return prediction; }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth.nan_to_num(0); }
  /// A truth with the error of another prediction. All [N, D], as predictions.
  static at::Tensor with_error_of(at::Tensor const& other, at::Tensor const& other_truth, at::Tensor const& truth) {
    return other.sub(other_truth).add(truth);
  }

  /// See the top of this file.
  struct score {
    std::int64_t samples = 0;

    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const y = truth.to(at::kCPU, at::kDouble), known = y.eq(y), count = known.sum(0).to(at::kDouble);
      at::Tensor const value = y.nan_to_num(0), error = raw.to(at::kCPU, at::kDouble).sub(y).masked_fill(known.logical_not(), 0);
      at::Tensor const mean   = value.sum(0).div(count.clamp_min(1));
      at::Tensor const spread = value.sub(mean).mul(known).square().sum(0);
      at::Tensor const all    = at::stack({count, mean, spread, error.square().sum(0), error.abs().sum(0)}, 1).contiguous();
      double const* from      = all.template const_data_ptr<double>();
      for (auto& into : of_) {
        into.add({from[0], from[1], from[2], from[3], from[4]});
        from += 5;
      }
      samples += truth.size(0);
    }
    void add(score const& other) {
      samples += other.samples;
      for (std::size_t d = 0; d < of_.size(); ++d) of_[d].add(other.of_[d]);
    }
    static bool lower_is_better(std::string_view metric) { return metric != "r2"; }
    /// Name and value of each metric, the primary metric first.
    [[nodiscard]] std::array<std::pair<char const*, double>, 3> values() const {
      double count = 0, squared = 0, absolute = 0, r2 = 0, dims = 0;
      for (auto const& each : of_) {
        count += each.count, squared += each.squared, absolute += each.absolute;
        if (each.count == 0) continue;
        r2 += each.spread > 0 ? 1 - each.squared / each.spread : each.squared == 0 ? 1 : each.squared > 0 ? 0 : each.squared;  // NaN stays
        ++dims;
      }
      count = std::max(count, 1.0);
      return {{{"r2", r2 / std::max(dims, 1.0)}, {"mae", absolute / count}, {"rmse", std::sqrt(squared / count)}}};
    }

   private:
    // Of one number: how many truths are known, their mean and sum of squared differences from it, sums of squared and absolute errors.
    struct sums {
      double count = 0, mean = 0, spread = 0, squared = 0, absolute = 0;
      // Chan et al. 1979: without the cancellation of a sum of squares.
      void add(sums const& other) {
        if (other.count == 0) return;
        double const both = count + other.count, apart = other.mean - mean;
        spread += other.spread + apart * apart * count * other.count / both;
        mean += apart * other.count / both;
        count = both;
        squared += other.squared, absolute += other.absolute;
      }
    };
    std::array<sums, static_cast<std::size_t>(dimensions)> of_{};
  };
};

}  // namespace c2f
