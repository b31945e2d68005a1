// c2f/inference/attended_box.hpp: weakly supervised localisation: the box of what a network attends to, without box labels.
//
//   auto const seen = model(images, c2f::eval);
//   c2f::metrics::box const box = c2f::attended_box(seen.output("mask")[0][0]);              // in pixels of the mask
//   at::Tensor const cam = c2f::class_activation(x, raw, 7);        // [H, W]: features x [C, H, W], a classifier raw [K, C], class 7
//
// attended_box smooths a map with a mean filter, keeps the positions above a fraction of its range, and returns the bounding box of the
// largest connected component, edges of positions (Coarse2Fine: "an averaging convolution followed by a threshold function"; kernel,
// threshold and component are not published and chosen here). The whole map where it is constant.
// class_activation is the class activation map of Zhou et al. 2016: the sum of the features, weighted as the linear layer after the pooling
// weighs them for the class.
// Cost: a pooling and one visit a position, on the host. Errors: input_error for a map of other than two dimensions, an even kernel and a
// threshold outside of [0, 1).
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/data/volumes/components.hpp>
#include <c2f/metrics/detection.hpp>

#include <ATen/ops/avg_pool2d.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f {

/// `kernel`: the side of the mean filter, odd; `threshold`: the part of the range between minimum and maximum that is cut off.
struct attended_box_options {
  std::int64_t kernel = 5;
  double threshold    = 0.5;
};

/// map: [H, W], of any type and device.
[[nodiscard]] inline metrics::box attended_box(at::Tensor const& map, attended_box_options const& how = {}) {
  if (map.dim() != 2) throw input_error("a box is asked of a map of " + detail::dims_of(map) + "; give one of [H, W]");
  if (how.kernel < 1 || how.kernel % 2 == 0 || !(how.threshold >= 0 && how.threshold < 1))
    throw input_error("an attended box needs an odd kernel and a threshold from 0 to below 1, found " + std::to_string(how.kernel) +
                      " and " + std::to_string(how.threshold) + "; write 5 and 0.5");
  at::Tensor const values = map.detach().to(at::kCPU, at::kFloat).view({1, 1, map.size(0), map.size(1)});
  at::Tensor const smooth = at::avg_pool2d(values, {how.kernel, how.kernel}, {1, 1}, {how.kernel / 2, how.kernel / 2}, /*ceil_mode=*/false,
                                           /*count_include_pad=*/false)
                                .contiguous();
  float const* const value  = smooth.const_data_ptr<float>();
  std::int64_t const height = map.size(0), width = map.size(1), count = height * width;
  auto const [least, most] = std::minmax_element(value, value + count);
  metrics::box const whole{0, 0, static_cast<double>(width), static_cast<double>(height)};
  if (*most - *least <= 1e-6f * std::max(std::abs(*least), std::abs(*most))) return whole;  // constant, up to the rounding of the means
  double const cut = *least + how.threshold * (static_cast<double>(*most) - *least);
  data::volume<std::uint8_t> mask{{width, height, 1}};
  for (std::int64_t i = 0; i < count; ++i) mask.values[static_cast<std::size_t>(i)] = value[i] > cut;
  auto const found     = data::detail::find_components(std::move(mask));
  metrics::box box     = whole;
  std::int64_t largest = 0;
  for (std::size_t k = 0; k < found.ends.size(); ++k) {
    std::int64_t const begin = k == 0 ? 0 : found.ends[k - 1], size = found.ends[k] - begin;
    if (size <= largest) continue;
    largest = size;
    box     = {static_cast<double>(width), static_cast<double>(height), 0, 0};
    for (std::int64_t i = begin; i < found.ends[k]; ++i) {
      std::int64_t const voxel = found.voxels[static_cast<std::size_t>(i)];
      auto const x = static_cast<double>(voxel % width), y = static_cast<double>(voxel / width);
      box = {std::min(box.x0, x), std::min(box.y0, y), std::max(box.x1, x + 1), std::max(box.y1, y + 1)};
    }
  }
  return box;
}

/// features [C, H, W] before the global average pooling, weight [K, C] of the linear layer after it -> [H, W].
[[nodiscard]] inline at::Tensor class_activation(at::Tensor const& features, at::Tensor const& weight, std::int64_t label) {
  if (features.dim() != 3 || weight.dim() != 2 || weight.size(1) != features.size(0) || label < 0 || label >= weight.size(0))
    throw input_error("a class activation map needs features [C, H, W], a weight [K, C] and a class below K; found " +
                      detail::dims_of(features) + ", " + detail::dims_of(weight) + " and class " + std::to_string(label));
  return weight[label].matmul(features.flatten(1)).view({features.size(1), features.size(2)});
}

}  // namespace c2f
