// c2f/layers/conv_blocks.hpp: the convolution of two groups of channels, apart or joined by cross attention.
//
//   c2f::network_on<c2f::conv<16, 3>, c2f::image<12, 32, 32>> layer;
//   layer.weight.set_blocks({.in = 5, .out = 7});                        // the first 5 input channels make the first 7 output channels
//   layer.weight.set_blocks({.in = 5, .out = 7, .attention = true});
//
// S are the first channels and R the others; W_{S→R} is the part of the weight by which the outputs R read the inputs S. Neural rejuvenation
// (Qiao et al., "Neural rejuvenation", CVPR 2019) has three forms of a convolution after channels were given back: the plain one, which needs
// no blocks; without cross-connections, in which W_{S→R} and W_{R→S} have no part; and with cross attention (eq. 5.9, 5.10), before the norm:
//   S' = W_{S→S} S + 2 sigmoid(W_{S→S} S) * W_{R→S} R        R' = W_{R→R} R + 2 sigmoid(W_{R→R} R) * W_{S→R} S
// Cost: two convolutions. With attention they do the work of the plain one; without, only that of the two blocks. Errors: none.
#pragma once

#include <c2f/core/state_tensor.hpp>
#include <c2f/execution/multiply_adds.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>

#include <array>
#include <cstdint>
#include <optional>

namespace c2f::detail {

/// Whether a convolution is not linear in its input.
inline bool attends(state_tensor const& weight) { return weight.blocks() != nullptr && weight.blocks()->attention; }

inline at::Tensor conv_in_blocks(at::Tensor const& x, state_tensor const& weight, std::optional<at::Tensor> const& bias,
                                 std::array<std::int64_t, 2> stride, std::array<std::int64_t, 2> padding,
                                 std::array<std::int64_t, 2> dilation) {
  auto const [in, out, attention] = *weight.blocks();
  at::Tensor const all            = weight.as(x);
  std::int64_t const more_in = all.size(1) - in, more_out = all.size(0) - out;
  auto const convolved = [&](std::int64_t from, std::int64_t count, at::Tensor const& part) {
    return counted_convolution(at::conv2d(x.narrow(1, from, count), part, {}, stride, padding, dilation), part);
  };
  at::Tensor y;
  if (attention) {
    at::Tensor const of_s = convolved(0, in, all.narrow(1, 0, in)), of_r = convolved(in, more_in, all.narrow(1, in, more_in));
    at::Tensor const s = of_s.narrow(1, 0, out), r = of_r.narrow(1, out, more_out);
    y = at::cat({s.add(s.sigmoid().mul(of_r.narrow(1, 0, out)), 2), r.add(r.sigmoid().mul(of_s.narrow(1, out, more_out)), 2)}, 1);
  } else {
    y = at::cat({convolved(0, in, all.narrow(0, 0, out).narrow(1, 0, in)),
                 convolved(in, more_in, all.narrow(0, out, more_out).narrow(1, in, more_in))},
                1);
  }
  return bias ? y.add(bias->view({-1, 1, 1})) : y;
}

}  // namespace c2f::detail
