// c2f/layers/conv_broadcast.hpp: a convolution of an image beside a stretched map, which takes the two apart.
//
// Convolution is linear: with w = (wx, wz), conv(x beside z, w) = conv(x, wx) + conv(z, wz). z is a tiny map whose middle is repeated
// (execution/broadcast_map.hpp), so conv(z, wz) is one, too: where the window meets only the repeated middle, it says the same everywhere. So it is
// computed on a map just large enough to have one such place a side, and stretched. Exact to rounding.
//
// What is won is z's gradient: of the joined map it is a convolution's gradient to all of the image, of which only sums are wanted; here
// the sums are taken first. What is paid is a sum over the answer, and so it is done for kernels of more than 3x3: a training step of
// ResNet-18 at 224x224 takes 5 % less time (docs/benchmarks.md); with a 3x3 convolution at 32x32 it would take as long as before.
#pragma once

#include <c2f/execution/broadcast_map.hpp>
#include <c2f/execution/try_fused.hpp>

#include <ATen/ops/conv2d.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace c2f::detail {

/// Along one side: how many answers there are, and the small map's size that gives `kept` of them, of which the middle one is what all that
/// are left out say; kept is 0 where none is left out.
struct kept_side {
  std::int64_t answers, size, kept;

  kept_side(std::int64_t whole, std::int64_t tiny, std::int64_t kernel, std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
    std::int64_t const reach = dilation * (kernel - 1), edge = tiny / 2;
    answers                  = (whole + 2 * padding - reach - 1) / stride + 1;
    // The first answer and the last one whose window lies in the repeated middle.
    std::int64_t const first = (edge + padding + stride - 1) / stride, room = whole - 1 - edge + padding - reach;
    std::int64_t const last  = room < 0 ? -1 : room / stride;
    std::int64_t const outer = std::max(first, answers - 1 - last);
    bool const fewer         = tiny < whole && tiny % 2 == 1 && 2 * outer + 1 < answers;
    kept                     = fewer ? 2 * outer + 1 : 0;
    size                     = fewer ? whole - stride * (answers - kept) : whole;
  }
};

inline at::Tensor conv_broadcast_concat(broadcast_concat const& both, at::Tensor const& weight, std::optional<at::Tensor> const& bias,
                              std::array<std::int64_t, 2> stride, std::array<std::int64_t, 2> padding,
                              std::array<std::int64_t, 2> dilation) {
  std::int64_t const channels = both.x.size(1), kernel = weight.size(2);
  auto const side = [&](int i) { return kept_side(both.x.size(2 + i), both.tiny.size(2 + i), kernel, stride[0], padding[0], dilation[0]); };
  kept_side const rows = side(0), columns = side(1);
  if (rows.kept == 0 || columns.kept == 0 || both.x.scalar_type() != both.tiny.scalar_type())
    return at::conv2d(both.joined, weight, bias, stride, padding, dilation);
  auto const format    = both.x.suggest_memory_format();
  auto const stretched = [&](at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::Tensor const& onto) {
    if (at::Tensor const made = try_fused::broadcast_interior(tiny, height, width, format, onto); made.defined()) return made;
    at::Tensor const large = broadcast_interior(tiny, height, width, format);
    return onto.defined() ? onto.add_(large) : large;  // in place: nothing else has seen it
  };
  auto const parts         = weight.split_with_sizes({channels, weight.size(1) - channels}, 1);
  at::Tensor const of_tiny = at::conv2d(stretched(both.tiny, rows.size, columns.size, {}), parts[1], {}, stride, padding, dilation);
  return stretched(of_tiny, rows.answers, columns.answers, at::conv2d(both.x, parts[0], bias, stride, padding, dilation));
}

}  // namespace c2f::detail
