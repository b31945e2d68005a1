// c2f/kinds/depth_map.hpp: a depth for every pixel.
//
//   using kind = c2f::depth_map<88>;      // 0 to 88 metres, as for KITTI
//
//   raw         [N, 1, H, W]
//   prediction  [N, 1, H, W], Largest * sigmoid(raw) (Qiao et al. 2021, eq. 7.3)
//   truth       float [N, 1, H, W] in the same unit, 0 where it is unknown
// Loss: loss::relative_depth. Metrics (metrics/depth.hpp): `abs_rel`, `sq_rel`, `silog`, `inliers`.
// Errors: a largest depth below 1 is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/relative_depth.hpp>
#include <c2f/metrics/depth.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Largest>
consteval bool check_largest_depth() {
  static_assert(Largest >= 1, "c2f::depth_map needs a largest depth of 1 or more; write c2f::depth_map<88> for 88 metres");
  return true;
}
}  // namespace detail

template <std::int64_t Largest>
struct depth_map : detail::static_check<detail::check_largest_depth<Largest>()> {
  static constexpr char const* name = "depth";
  static constexpr bool is_depth    = true;
  template <image_shape In>
  using output          = with_channels<In, 1>;
  using truth_value     = float;
  using default_encoder = encode::dense<>;
  struct default_loss : loss::relative_depth {
    static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) { return of_kind<depth_map>(raw, truth); }
  };
  template <image_shape In>
  static constexpr std::array<std::int64_t, 3> truth_dims{1, In::height, In::width};

  static at::Tensor predict(at::Tensor const& raw) { return raw.sigmoid().mul(static_cast<double>(Largest)); }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth; }
  static at::Tensor resized(at::Tensor const& raw, std::int64_t height, std::int64_t width) { return resize_bilinear(raw, height, width); }

  struct score {
    std::int64_t samples = 0;
    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const found = predict(raw.to(at::kFloat)).clamp_min(loss::relative_depth::least).to(at::kCPU).contiguous();
      at::Tensor const known = truth.to(at::kCPU, at::kFloat).contiguous();
      auto const pixels      = static_cast<std::size_t>(known.size(2) * known.size(3));
      for (std::int64_t i = 0; i < known.size(0); ++i)
        errors_.add(std::span(known.template const_data_ptr<float>() + static_cast<std::size_t>(i) * pixels, pixels),
                    std::span(found.template const_data_ptr<float>() + static_cast<std::size_t>(i) * pixels, pixels));
      samples += truth.size(0);
    }
    static bool lower_is_better(std::string_view metric) { return metric != "inliers"; }
    [[nodiscard]] auto values() const {
      auto const mean = errors_.mean();
      return std::array<std::pair<char const*, double>, 4>{
          {{"abs_rel", mean.absolute_relative}, {"sq_rel", mean.squared_relative}, {"silog", mean.silog}, {"inliers", mean.inliers}}};
    }

   private:
    metrics::depth_errors errors_;
  };
};

}  // namespace c2f
