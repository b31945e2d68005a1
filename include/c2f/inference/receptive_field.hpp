// c2f/inference/receptive_field.hpp: how many pixels of an image one output depends on.
//
//   c2f::receptive_field const seen = c2f::receptive_field_of(
//       [](at::Tensor const& all) { return net(all, c2f::eval).select(3, 16).select(2, 16); }, images);
//   std::printf("%lld x %lld pixels\n", static_cast<long long>(seen.height), static_cast<long long>(seen.width));
//
// It is measured by gradients: of a sum of raw outputs at one place with respect to the images. Its size is that of the rectangle around every
// pixel with a gradient, at most the image; since most of these hardly matter, `core` is the side of the square around the middle that holds
// 95 % of the gradient's absolute sum. It is a property of the weights: a ReLU that is off hides what is behind.
//
// Costs: a pass and a backward pass. Errors: none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace c2f {

struct receptive_field {
  std::int64_t height = 0, width = 0;  ///< in pixels, at most the image
  std::int64_t core = 0;               ///< the side of the square with 95 % of the gradient's absolute sum
};

/// output_at: the raw outputs at one place of the images [N, C, H, W], or of the whole image. The square of `core` is about the middle of the
/// images.
[[nodiscard]] inline receptive_field receptive_field_of(std::function<at::Tensor(at::Tensor const& images)> const& output_at,
                                                        at::Tensor const& images) {
  at::AutoGradMode const with_gradients(true);
  at::Tensor const seen = images.detach().clone().requires_grad_(true);
  output_at(seen).sum().backward();
  if (!seen.grad().defined()) return {};
  at::Tensor const size     = seen.grad().abs().sum(c10::IntArrayRef{0, 1}).to(at::kDouble).contiguous();  // [H, W]
  std::int64_t const height = size.size(0), width = size.size(1);
  double const* const value = size.const_data_ptr<double>();
  std::int64_t top = height, bottom = -1, left = width, right = -1;
  double all = 0;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      if (double const each = value[y * width + x]; each > 0) {
        all += each;
        top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, x), right = std::max(right, x);
      }
  if (bottom < 0) return {};
  receptive_field made{bottom - top + 1, right - left + 1, 1};
  for (;; made.core += 2) {
    std::int64_t const reach = made.core / 2;
    double inside            = 0;
    for (std::int64_t y = std::max<std::int64_t>(height / 2 - reach, 0); y <= std::min(height / 2 + reach, height - 1); ++y)
      for (std::int64_t x = std::max<std::int64_t>(width / 2 - reach, 0); x <= std::min(width / 2 + reach, width - 1); ++x)
        inside += value[y * width + x];
    if (inside >= .95 * all || reach > height + width) return made;
  }
}

}  // namespace c2f
