// c2f/execution/try_fused.hpp: calls a fused operation if there is one for these tensors; otherwise the caller computes the definition.
//
//   if (at::Tensor y = c2f::try_fused::max_pool(x, 3, 2, 1, false); y.defined()) return y;
//   return at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
//
// A function declines by returning an undefined tensor, or false, if this thread has no such operation (execution/context.hpp) or the
// kernel does not support the tensors. The conditions are checked only here; what each operation computes is documented in
// execution/fused_operations.hpp. Cost of declining: a few comparisons.
#pragma once

#include <c2f/execution/context.hpp>
#include <c2f/execution/fused_operations.hpp>

#include <span>

namespace c2f::try_fused {

namespace detail {

/// The element types of the kernels.
[[nodiscard]] inline bool float_or_bfloat16(at::Tensor const& tensor) {
  return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
}
/// Maps whose channels can be read 16 bytes at a time.
[[nodiscard]] inline bool wide_channels_last(at::Tensor const& x, std::int64_t channels) {
  return float_or_bfloat16(x) && channels % 8 == 0 && x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

template <auto Operation>
[[nodiscard]] inline bool available() {
  fused_operations const* const table = execution().fused;
  return table != nullptr && table->*Operation != nullptr;
}
template <auto Operation, class... Arguments>
[[nodiscard]] at::Tensor run(bool fits, Arguments const&... arguments) {
  return available<Operation>() && fits ? (execution().fused->*Operation)(arguments...) : at::Tensor();
}

}  // namespace detail

// ---- parts ----

/// Declines if `uniform` is undefined (no random numbers on the device).
[[nodiscard]] inline at::Tensor sample_source(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform,
                                              at::Tensor const& t) {
  return detail::run<&fused_operations::sample_source>(uniform.defined(), raw, truth, uniform, t);
}
[[nodiscard]] inline at::Tensor draw_boxes(at::Tensor const& y, std::int64_t height, std::int64_t width, double edge,
                                           at::MemoryFormat format) {
  return detail::run<&fused_operations::draw_boxes>(y.scalar_type() == at::kFloat, y, height, width, edge, format);
}
[[nodiscard]] inline at::Tensor concat_broadcast(at::Tensor const& x, at::Tensor const& tiny) {
  return detail::run<&fused_operations::concat_broadcast>(detail::float_or_bfloat16(x), x, tiny);
}
[[nodiscard]] inline at::Tensor broadcast_interior(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format,
                                                   at::Tensor const& onto) {
  return detail::run<&fused_operations::broadcast_interior>(detail::float_or_bfloat16(tiny), tiny, height, width, format, onto);
}
[[nodiscard]] inline at::Tensor multiply_crop(at::Tensor const& x, at::Tensor const& z, at::IntArrayRef corners, std::int64_t height,
                                              std::int64_t width) {
  bool const fits = detail::float_or_bfloat16(x) && x.size(0) > 0 && x.scalar_type() == z.scalar_type() && x.size(0) == z.size(0) &&
                    x.sizes().slice(2) == z.sizes().slice(2);
  return detail::run<&fused_operations::multiply_crop>(fits, x, z, corners, height, width);
}

// ---- layers ----

[[nodiscard]] inline at::Tensor norm_relu(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias,
                                          at::Tensor const& running_mean, at::Tensor const& running_var, at::Tensor const& shortcut,
                                          bool relu) {
  bool const fits = x.dim() == 4 && detail::wide_channels_last(x, x.size(1)) && x.numel() > 0 && weight.scalar_type() == at::kFloat;
  return detail::run<&fused_operations::norm_relu>(fits, x, weight, bias, running_mean, running_var, shortcut, relu);
}
/// Returns x if there is no such operation.
[[nodiscard]] inline at::Tensor gradient_fan_out(at::Tensor const& x) {
  at::Tensor const second = detail::run<&fused_operations::gradient_fan_out>(detail::float_or_bfloat16(x), x);
  return second.defined() ? second : x;
}
/// Whether bias_relu supports maps with `channels` channels and x's element type and memory format.
[[nodiscard]] inline bool takes_bias_relu(at::Tensor const& x, std::int64_t channels) {
  return detail::available<&fused_operations::bias_relu>() && detail::wide_channels_last(x, channels);
}
[[nodiscard]] inline at::Tensor bias_relu(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu) {
  return detail::run<&fused_operations::bias_relu>(takes_bias_relu(x, x.dim() == 4 ? x.size(1) : 0), x, bias, shortcut, relu);
}
[[nodiscard]] inline at::Tensor max_pool(at::Tensor const& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil) {
  bool const fits = x.dim() == 4 && detail::wide_channels_last(x, x.size(1)) && kernel <= 16;
  return detail::run<&fused_operations::max_pool>(fits, x, kernel, stride, padding, ceil);
}
/// Declines if `ids` are undefined (not on the device) or not one for each sample of x.
[[nodiscard]] inline at::Tensor dropout(at::Tensor const& x, at::Tensor const& ids, at::Tensor const& keys, double probability,
                                        std::uint32_t what) {
  return detail::run<&fused_operations::dropout>(ids.defined() && ids.numel() == x.size(0), x, ids, keys, probability, what);
}
[[nodiscard]] inline at::Tensor upsample_bilinear(at::Tensor const& x, std::int64_t height, std::int64_t width) {
  return detail::run<&fused_operations::upsample_bilinear>(detail::float_or_bfloat16(x), x, height, width);
}

// ---- losses ----

/// Maps, or vectors [N, K] with truths [N], which are maps of one pixel. Declines other shapes, so that ATen reports them.
[[nodiscard]] inline at::Tensor map_cross_entropy(at::Tensor const& raw, at::Tensor const& truth, std::int64_t ignore) {
  bool const vectors = raw.dim() == 2 && truth.dim() == 1;
  bool const fits    = (vectors || (raw.dim() == 4 && raw.size(1) > 1)) && truth.numel() * raw.size(1) == raw.numel() &&
                    truth.scalar_type() == at::kLong && truth.device() == raw.device() && detail::float_or_bfloat16(raw);
  if (!fits) return {};
  if (vectors)
    return detail::run<&fused_operations::map_cross_entropy>(true, raw.unsqueeze(2).unsqueeze(3), truth.unsqueeze(1).unsqueeze(2), ignore);
  return detail::run<&fused_operations::map_cross_entropy>(true, raw, truth, ignore);
}

// ---- end of a training step, and batches made on the device; each returns whether it ran ----

inline bool sgd(flat_update const& update, sgd_rule const& rule) {
  if (!detail::available<&fused_operations::sgd>()) return false;
  execution().fused->sgd(update, rule);
  return true;
}
inline bool adam(flat_update const& update, adam_rule const& rule) {
  if (!detail::available<&fused_operations::adam>()) return false;
  execution().fused->adam(update, rule);
  return true;
}
[[nodiscard]] inline bool gradient_norm(std::span<at::Tensor const> gradients, std::span<flat_piece const> pieces, at::Tensor const& norm) {
  if (!detail::available<&fused_operations::gradient_norm>()) return false;
  execution().fused->gradient_norm(gradients, pieces, norm);
  return true;
}
[[nodiscard]] inline bool decide_step(at::Tensor const& norm, at::Tensor const& losses, double clip, step_outcome const& to) {
  if (!detail::available<&fused_operations::decide_step>()) return false;
  execution().fused->decide_step(norm, losses, clip, to);
  return true;
}
[[nodiscard]] inline bool augment_pictures(picture_source const& from, at::Tensor const& ids, at::Tensor const& keys, bool augment,
                                           at::Tensor const& images, at::Tensor const& truth) {
  if (!detail::available<&fused_operations::augment_pictures>()) return false;
  execution().fused->augment_pictures(from, ids, keys, augment, images, truth);
  return true;
}

}  // namespace c2f::try_fused
