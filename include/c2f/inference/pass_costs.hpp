// c2f/inference/pass_costs.hpp: what a pass costs and sees: multiply-adds, and the pixels that one output depends on.
//
//   std::int64_t const count = c2f::multiply_adds([&] { model(images, c2f::eval); });     // of all images
//   c2f::receptive_field const seen = c2f::receptive_field_of(logits_of_a_pixel, images);
//   std::printf("%lld x %lld pixels\n", static_cast<long long>(seen.height), static_cast<long long>(seen.width));
//
// Multiply-adds are counted by watching the operations of LibTorch that the calling thread runs: convolutions and products of matrices. Sums,
// norms, activations, pooling and resizing are not counted; they are a few percent of a network's arithmetic. A multiply-add is two FLOPs.
//
// A receptive field is measured by gradients: of a sum of raw outputs at one place with respect to the images. Its size is that of the
// rectangle around every pixel with a gradient, at most the image; since most of these hardly matter, `core` is the side of the square
// around the place that holds 95 % of the gradient's absolute sum. It is a property of the weights: a ReLU that is off hides what is behind.
//
// Costs: a pass; with a backward pass for the field. Errors: none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>

namespace c2f {

namespace detail {

inline thread_local std::int64_t counted_multiply_adds = 0;

/// The multiply-adds for each element of an operation's result; 0 for one that is not counted.
struct counted_operation : at::ObserverContext {
  std::int64_t an_element = 0;
};
inline std::unique_ptr<at::ObserverContext> begin_operation(at::RecordFunction const& call) {
  std::string_view const name = call.name();
  auto const inputs           = call.inputs();
  auto const tensor           = [&](std::size_t i) { return inputs[i].toTensor(); };
  auto made                   = std::make_unique<counted_operation>();
  if (name == "aten::convolution" && inputs.size() > 6) {
    at::Tensor const weight = tensor(1);  // [out, in / groups, kernel...]; transposed [in, out / groups, kernel...]
    std::int64_t const each = weight.numel() / std::max<std::int64_t>(weight.size(0), 1);
    if (inputs[6].toBool())
      counted_multiply_adds += tensor(0).numel() * each;
    else
      made->an_element = each;
  } else if (name == "aten::mm" || name == "aten::mv" || name == "aten::bmm") {
    made->an_element = tensor(0).size(-1);
  } else if (name == "aten::addmm" || name == "aten::addmv" || name == "aten::baddbmm") {
    made->an_element = tensor(1).size(-1);
  }
  return made;
}
inline void end_operation(at::RecordFunction const& call, at::ObserverContext* context) {
  std::int64_t const each = static_cast<counted_operation*>(context)->an_element;
  if (each == 0) return;
  auto const& results = call.outputs();
  if (!results.empty() && results.front().isTensor()) counted_multiply_adds += each * results.front().toTensor().numel();
}

}  // namespace detail

/// The multiply-adds of what `run` does in this thread, on a CPU.
template <class Run>
[[nodiscard]] std::int64_t multiply_adds(Run const& run) {
  at::NoGradGuard const no_gradients;
  std::int64_t const before = detail::counted_multiply_adds;
  auto const handle         = at::addThreadLocalCallback(at::RecordFunctionCallback(&detail::begin_operation, &detail::end_operation)
                                                             .needsInputs(true)
                                                             .needsOutputs(true)
                                                             .scopes({at::RecordScope::FUNCTION}));
  try {
    run();
  } catch (...) {
    at::removeCallback(handle);
    throw;
  }
  at::removeCallback(handle);
  return detail::counted_multiply_adds - before;
}

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
  at::Tensor const size     = seen.grad().abs().sum({0, 1}).to(at::kDouble).contiguous();  // [H, W]
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
