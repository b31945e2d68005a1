// c2f/data/volumes/slices.hpp: cuts volumes into slices for a 2D network, and assembles its predictions into a volume.
//
//   at::Tensor images = c2f::data::cut_slices(ct, 2, 0, 8, 64, 64);         // [8, 3, 64, 64]: slices 0 ... 7 across z
//   at::Tensor predictions = net(images, c2f::eval).sigmoid();              // [S, 1, 64, 64] or [S, 3, 64, 64], for all S slices
//   c2f::data::volume<float> organ = c2f::data::join_slices(predictions, ct.dims, 2);
//
// A sample is a slice with its two neighbours as channels (RSTN, Yu et al., CVPR 2018); the first and last slice repeat themselves
// as the missing neighbour. A slice across axis x has rows along y and columns along z; across y: x and z; across z: x and y. It is centred
// on a canvas of height x width and padded with zeros; an odd remainder goes below and to the right.
//
// A prediction with 3 channels is for the three slices of its sample, so a slice has up to three predictions (two at the ends): the result
// is their mean. A prediction with 1 channel is for the middle slice.
//
// Costs: one tensor, one volume. Errors: input_error for an axis other than 0, 1 and 2, a slice larger than the canvas, a wrong number of
// slices or channels.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/volumes/volume.hpp>

namespace c2f::data {

namespace detail {

/// The layout of the slices across an axis in a volume and on a canvas.
struct slice_layout {
  std::int64_t count, height, width;                    // of the slices
  std::int64_t step, down, right;                       // strides in the volume: between slices, rows and columns
  std::int64_t canvas_height, canvas_width, top, left;  // the canvas, and the slice's offset on it

  slice_layout(std::array<std::int64_t, 3> const& dims, int axis, std::int64_t on_height, std::int64_t on_width) {
    if (axis < 0 || axis > 2) throw input_error("a volume has no axis " + std::to_string(axis) + "; write 0 for x, 1 for y or 2 for z");
    std::array<std::int64_t, 3> const steps{1, dims[0], dims[0] * dims[1]};
    std::size_t const across = static_cast<std::size_t>(axis), rows = axis == 0 ? 1 : 0, columns = axis == 2 ? 1 : 2;
    count = dims[across], height = dims[rows], width = dims[columns];
    step = steps[across], down = steps[rows], right = steps[columns];
    canvas_height = on_height, canvas_width = on_width;
    if (height > canvas_height || width > canvas_width)
      throw input_error("the slices across axis " + std::to_string(axis) + " of a volume of " + dims_text(dims) + " voxels are " +
                        std::to_string(height) + " x " + std::to_string(width) + ", which a canvas of " + std::to_string(canvas_height) +
                        " x " + std::to_string(canvas_width) + " does not hold; choose a larger one");
    top = (canvas_height - height) / 2, left = (canvas_width - width) / 2;
  }
  slice_layout(std::array<std::int64_t, 3> const& dims, int axis)
      : slice_layout(dims, axis, *std::max_element(dims.begin(), dims.end()), *std::max_element(dims.begin(), dims.end())) {}

  [[nodiscard]] std::size_t in_volume(std::int64_t slice, std::int64_t y, std::int64_t x) const {
    return static_cast<std::size_t>(slice * step + y * down + x * right);
  }
  [[nodiscard]] std::size_t on_canvas(std::int64_t y, std::int64_t x) const {
    return static_cast<std::size_t>((y + top) * canvas_width + x + left);
  }
  [[nodiscard]] std::int64_t canvas_pixels() const { return canvas_height * canvas_width; }

  /// Writes a slice with its neighbours: canvas_height * canvas_width * 3 values, channels innermost.
  void write(volume<float> const& v, std::int64_t slice, float* to) const {
    std::fill_n(to, 3 * canvas_pixels(), 0.0f);
    for (std::int64_t c = 0; c < 3; ++c) {
      std::int64_t const from = std::clamp<std::int64_t>(slice - 1 + c, 0, count - 1);
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x) to[3 * on_canvas(y, x) + static_cast<std::size_t>(c)] = v.values[in_volume(from, y, x)];
    }
  }
};

}  // namespace detail

/// `count` samples from slice `first` on: [count, 3, height, width] float on the CPU, channels_last.
[[nodiscard]] inline at::Tensor cut_slices(volume<float> const& v, int axis, std::int64_t first, std::int64_t count, std::int64_t height,
                                           std::int64_t width) {
  detail::slice_layout const layout(v.dims, axis, height, width);
  if (first < 0 || count < 1 || count > layout.count - first)
    throw input_error("slices " + std::to_string(first) + " to " + std::to_string(first + count - 1) + " across axis " +
                      std::to_string(axis) + " were asked for; there are " + std::to_string(layout.count));
  at::Tensor images  = at::empty({count, 3, height, width}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  auto* const pixels = images.mutable_data_ptr<float>();
  for (std::int64_t s = 0; s < count; ++s) layout.write(v, first + s, pixels + s * 3 * layout.canvas_pixels());
  return images;
}

/// The volume of the predictions [S, C, H, W] for all S slices across an axis, in order; C is 1 or 3.
[[nodiscard]] inline volume<float> join_slices(at::Tensor const& predictions, std::array<std::int64_t, 3> const& dims, int axis,
                                               placement const& place = {}) {
  if (predictions.dim() != 4 || (predictions.size(1) != 1 && predictions.size(1) != 3))
    throw input_error("predictions for slices are [slices, 1 or 3, height, width], not " + c2f::detail::dims_of(predictions) +
                      "; choose the channel of the organ");
  detail::slice_layout const layout(dims, axis, predictions.size(2), predictions.size(3));
  if (predictions.size(0) != layout.count)
    throw input_error("predictions for " + std::to_string(predictions.size(0)) + " slices do not make a volume that has " +
                      std::to_string(layout.count) + " across axis " + std::to_string(axis) + "; pass all of them, in order");
  at::Tensor const dense = predictions.detach().to(at::kCPU, at::kFloat).contiguous();
  auto const* const from = dense.const_data_ptr<float>();
  std::int64_t const C = dense.size(1), reach = C / 2;
  volume<float> joined(dims, place);
  for (std::int64_t slice = 0; slice < layout.count; ++slice) {
    // Channel c of sample s is the prediction for slice s - reach + c.
    std::int64_t const begin = std::max<std::int64_t>(slice - reach, 0), end = std::min(slice + reach + 1, layout.count);
    auto const times = static_cast<float>(end - begin);
    for (std::int64_t y = 0; y < layout.height; ++y)
      for (std::int64_t x = 0; x < layout.width; ++x) {
        float sum = 0;
        for (std::int64_t s = begin; s < end; ++s)
          sum += from[static_cast<std::size_t>((s * C + slice - s + reach) * layout.canvas_pixels()) + layout.on_canvas(y, x)];
        joined.values[layout.in_volume(slice, y, x)] = sum / times;
      }
  }
  return joined;
}

/// The values of one slice: height * width, rows from the top.
template <class T>
[[nodiscard]] std::vector<T> slice_of(volume<T> const& v, int axis, std::int64_t slice) {
  detail::slice_layout const layout(v.dims, axis);
  if (slice < 0 || slice >= layout.count)
    throw input_error("slice " + std::to_string(slice) + " across axis " + std::to_string(axis) + " was asked for; there are " +
                      std::to_string(layout.count));
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(layout.height * layout.width));
  for (std::int64_t y = 0; y < layout.height; ++y)
    for (std::int64_t x = 0; x < layout.width; ++x) values.push_back(v.values[layout.in_volume(slice, y, x)]);
  return values;
}

/// Height and width of the slices across an axis.
[[nodiscard]] inline std::array<std::int64_t, 2> slice_size(std::array<std::int64_t, 3> const& dims, int axis) {
  detail::slice_layout const layout(dims, axis);
  return {layout.height, layout.width};
}

/// The number of target pixels of each slice across an axis.
[[nodiscard]] inline std::vector<std::int64_t> target_pixels(volume<std::uint8_t> const& target, int axis) {
  detail::slice_layout const layout(target.dims, axis);
  std::vector<std::int64_t> pixels(static_cast<std::size_t>(layout.count));
  for (std::int64_t s = 0; s < layout.count; ++s)
    for (std::int64_t y = 0; y < layout.height; ++y)
      for (std::int64_t x = 0; x < layout.width; ++x) pixels[static_cast<std::size_t>(s)] += target.values[layout.in_volume(s, y, x)] != 0;
  return pixels;
}

/// RSTN's rule for choosing training slices: of the n slices that contain the target, keep the floor(keep * n), at least one, with the most
/// target pixels. Returns the smallest number of pixels among them; slices with at least as many are kept, ties included.
[[nodiscard]] inline std::int64_t least_target_pixels(std::vector<std::int64_t> pixels, double keep = 0.98) {
  std::erase(pixels, 0);
  if (pixels.empty() || !(keep > 0 && keep <= 1))
    throw input_error("of " + std::to_string(pixels.size()) + " slices that show the target the fraction " + detail::text_of(keep) +
                      " cannot be kept; write a fraction above 0 and up to 1, and pass slices that show it");
  auto const kept = std::max(std::floor(static_cast<double>(pixels.size()) * keep), 1.0);
  auto const last = pixels.begin() + static_cast<std::ptrdiff_t>(kept) - 1;
  std::nth_element(pixels.begin(), last, pixels.end(), std::greater<>{});
  return *last;
}

}  // namespace c2f::data
