// c2f/kinds/weighted_dense.hpp: a class for every pixel, with a weight of the pixel in the loss.
//
//   using kind = c2f::weighted_dense<19>;                       // label 255 is ignored
//   using kind = c2f::weighted_dense<19, 255, 0.2>;             // the loss of the hardest fifth of the pixels
//
// c2f::dense (kinds/dense.hpp) with the truth float [N, 2, H, W]: classes, and weights. Metrics do not weigh.
// Errors: fewer than two classes is a compile error; and those of c2f::dense and loss::weighted_hardest.
#pragma once

#include <c2f/kinds/dense.hpp>
#include <c2f/loss/weighted_hardest.hpp>

#include <array>
#include <cstdint>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Classes>
consteval bool check_weighted_classes() {
  static_assert(Classes >= 2, "c2f::weighted_dense needs two classes or more; a mask is one of two");
  return true;
}
}  // namespace detail

template <std::int64_t Classes, std::int64_t Ignore = 255, double Fraction = 1.0>
struct weighted_dense : detail::static_check<detail::check_weighted_classes<Classes>()> {
  using unweighted                  = dense<Classes, Ignore>;
  static constexpr char const* name = "dense";
  static constexpr bool weighted = true, distribution = true;
  static constexpr std::int64_t classes = Classes, ignore = Ignore;
  template <image_shape In>
  using output          = typename unweighted::template output<In>;
  using truth_value     = float;
  using default_encoder = typename unweighted::default_encoder;
  using default_loss    = loss::weighted_hardest<Fraction, Ignore>;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 3> truth_dims{2, In::height, In::width};

  static at::Tensor classes_of(at::Tensor const& truth) { return truth.select(1, 0).to(at::kLong); }
  static at::Tensor predict(at::Tensor const& raw) { return unweighted::predict(raw); }
  static at::Tensor from_truth(at::Tensor const& truth) { return unweighted::from_truth(classes_of(truth)); }
  static at::Tensor resized(at::Tensor const& raw, std::int64_t height, std::int64_t width) {
    return unweighted::resized(raw, height, width);
  }
  static at::Tensor labels_of(at::Tensor const& raw) { return unweighted::labels_of(raw); }
  static at::Tensor agreement(at::Tensor const& a, at::Tensor const& b) { return unweighted::agreement(a, b); }

  struct score : unweighted::score {
    void add(at::Tensor const& raw, at::Tensor const& truth) { unweighted::score::add(raw, classes_of(truth)); }
  };
};

}  // namespace c2f
