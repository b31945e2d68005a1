// c2f/kinds/field.hpp: numbers for every pixel, with a weight: heat maps, offsets, flow.
//
//   using kind = c2f::field<1, c2f::loss::weighted_squared>;      // a heat map of centres
//   using kind = c2f::field<2>;                                  // offsets; the absolute error
//
//   raw         [N, C, H, W], the numbers themselves
//   prediction  the same
//   truth       float [N, C + 1, H, W]: the numbers, and the weight of the pixel in losses, 0 or more; metrics count those above 0 alike
// Metric: `mae`, the mean absolute error of a channel over the pixels that count.
// Errors: fewer than one channel is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/weighted.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Channels>
consteval bool check_field_channels() {
  static_assert(Channels >= 1, "c2f::field needs one channel or more; write c2f::field<2> for offsets");
  return true;
}
}  // namespace detail

template <std::int64_t Channels, class Loss = loss::weighted_absolute>
struct field : detail::static_check<detail::check_field_channels<Channels>()> {
  static constexpr char const* name      = "field";
  static constexpr bool weighted         = true;
  static constexpr std::int64_t channels = Channels < 1 ? 1 : Channels;
  template <image_shape In>
  using output          = with_channels<In, channels>;
  using truth_value     = float;
  using default_encoder = encode::dense<>;
  using default_loss    = Loss;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 3> truth_dims{channels + 1, In::height, In::width};

  static at::Tensor predict(at::Tensor const& raw) { return raw; }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth.narrow(1, 0, channels); }
  static at::Tensor resized(at::Tensor const& raw, std::int64_t height, std::int64_t width) { return resize_bilinear(raw, height, width); }

  struct score {
    std::int64_t samples = 0;
    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const counted = truth.narrow(1, channels, 1).gt(0);
      error_ += raw.to(at::kFloat).sub(from_truth(truth)).abs().mul(counted).sum().to(at::kDouble).template item<double>();
      count_ += static_cast<double>(counted.sum().template item<std::int64_t>() * channels);
      samples += truth.size(0);
    }
    static bool lower_is_better(std::string_view) { return true; }
    [[nodiscard]] std::array<std::pair<char const*, double>, 1> values() const { return {{{"mae", error_ / std::max(count_, 1.0)}}}; }

   private:
    double error_ = 0, count_ = 0;
  };
};

}  // namespace c2f
