// c2f/layers/conv_broadcast.hpp: convolution of an image concatenated with a broadcast map, computed as two convolutions.
//
// Convolution is linear: with w = (wx, wz), conv(concat(x, z), w) = conv(x, wx) + conv(z, wz). z is a small map with broadcast interior
// (execution/broadcast_map.hpp), and so is conv(z, wz): it has the same value at all positions whose window is inside of the interior. It
// is therefore computed on a map just large enough to have one such position per side, and then broadcast. Exact to rounding.
//
// Benefit: the gradient of z needs no convolution over the whole image, because gradients are summed over the interior first. Overhead: one
// addition of the outputs. It pays for kernels of more than 3x3: a training step of ResNet-18 at 224x224 takes 5 % less time
// (docs/benchmarks.md); with a 3x3 convolution at 32x32 there is no gain.
#pragma once

#include <c2f/execution/multiply_adds.hpp>
#include <c2f/execution/broadcast_map.hpp>
#include <c2f/execution/try_fused.hpp>

#include <ATen/ops/conv2d.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace c2f::detail {

/// One side of the convolution of a broadcast map: `outputs`, the number of output positions; `size`, the input size of the small
/// convolution; `kept`, its number of output positions, the middle one of which is broadcast. kept is 0 if nothing can be saved.
struct kept_side {
  std::int64_t outputs, size, kept;

  kept_side(std::int64_t whole, std::int64_t tiny, std::int64_t kernel, std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
    std::int64_t const reach = dilation * (kernel - 1), edge = tiny / 2;
    outputs                  = (whole + 2 * padding - reach - 1) / stride + 1;
    // The first and the last output position whose window is inside of the broadcast interior.
    std::int64_t const first = (edge + padding + stride - 1) / stride, room = whole - 1 - edge + padding - reach;
    std::int64_t const last  = room < 0 ? -1 : room / stride;
    std::int64_t const outer = std::max(first, outputs - 1 - last);
    bool const fewer         = tiny < whole && tiny % 2 == 1 && 2 * outer + 1 < outputs;
    kept                     = fewer ? 2 * outer + 1 : 0;
    size                     = fewer ? whole - stride * (outputs - kept) : whole;
  }
};

/// conv2d(both.joined, weight, bias), computed as two convolutions if that saves work. Both sides have equal stride, padding, dilation.
inline at::Tensor conv_broadcast_concat(broadcast_concat const& both, at::Tensor const& weight, std::optional<at::Tensor> const& bias,
                                        std::array<std::int64_t, 2> stride, std::array<std::int64_t, 2> padding,
                                        std::array<std::int64_t, 2> dilation) {
  std::int64_t const channels = both.x.size(1), kernel = weight.size(2);
  auto const side = [&](int i) { return kept_side(both.x.size(2 + i), both.tiny.size(2 + i), kernel, stride[0], padding[0], dilation[0]); };
  kept_side const rows = side(0), columns = side(1);
  if (rows.kept == 0 || columns.kept == 0 || both.x.scalar_type() != both.tiny.scalar_type())
    return counted_convolution(at::conv2d(both.joined, weight, bias, stride, padding, dilation), weight);
  auto const format    = both.x.suggest_memory_format();
  auto const broadcast = [&](at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::Tensor const& onto) {
    if (at::Tensor const made = try_fused::broadcast_interior(tiny, height, width, format, onto); made.defined()) return made;
    at::Tensor const large = broadcast_interior(tiny, height, width, format);
    return onto.defined() ? onto.add_(large) : large;  // in place: nothing else refers to it
  };
  auto const parts = weight.split_with_sizes({channels, weight.size(1) - channels}, 1);
  at::Tensor const small =
      counted_convolution(at::conv2d(broadcast(both.tiny, rows.size, columns.size, {}), parts[1], {}, stride, padding, dilation), parts[1]);
  return broadcast(small, rows.outputs, columns.outputs,
                   counted_convolution(at::conv2d(both.x, parts[0], bias, stride, padding, dilation), parts[0]));
}

}  // namespace c2f::detail
