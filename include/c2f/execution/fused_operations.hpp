// c2f/execution/fused_operations.hpp: the table of fused operations.
//
//   c2f::with_fused const scope(&c2f::cuda::fused);      // c2f/cuda/fused.hpp: kernels for CPU and GPU
//   model(images, step);                                 // inside of the scope, layers may use them
//
// Everything in c2f is defined by ATen operations. Where a fused form of several of them exists, a layer requests it through
// execution/try_fused.hpp and otherwise computes the definition. Results differ by rounding only, and parameter paths are the same. The
// table belongs to a thread: c2f::fit opens a scope if the recipe has an accelerator with one (recipe.on).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace c2f {

/// The position of a parameter in the flat buffers of flat_update, and its multipliers of learning rate and weight decay.
struct flat_piece {
  std::int64_t begin, size;  ///< in elements; begin is a multiple of 64
  double learning_rate_multiplier = 1, weight_decay_multiplier = 1;
};
/// One optimiser update of all parameters. Values in device memory are read when the update runs.
struct flat_update {
  at::Tensor parameters{};                  ///< [all] float
  at::Tensor low{};                         ///< [all] bfloat16, the rounded parameters; undefined: not maintained
  std::span<flat_piece const> pieces{};     ///< sorted by `begin`
  std::span<at::Tensor const> gradients{};  ///< one per piece, float or bfloat16, dense, in memory order; undefined: not updated
  double weight_decay = 0;
  at::Tensor learning_rate{};  ///< [] double
  at::Tensor scale{};          ///< [] float, multiplies all gradients; undefined: 1
  at::Tensor skip{};           ///< [] float: if not 0, nothing is updated; undefined: 0
};
/// Stochastic gradient descent with momentum, as torch::optim::SGD.
struct sgd_rule {
  double momentum = 0;
  bool nesterov   = false;
  at::Tensor momenta{};  ///< [all] float; undefined where momentum is 0
};
/// Adam or AdamW, as torch::optim::Adam and AdamW.
struct adam_rule {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool decoupled = false;        ///< decoupled weight decay: AdamW
  at::Tensor first{}, second{};  ///< [all] float: the moments
  at::Tensor step{};             ///< [] int64: number of updates done, skipped ones excluded; incremented by adam
};
/// The decision about a step, made when its gradients are known.
struct step_outcome {
  at::Tensor skip, scale;  ///< [] float, as in flat_update
  at::Tensor result;       ///< [L + 1] double: the losses, then skip
};
/// The images of a split of 32x32 pictures (data/pictures.hpp) in device memory.
struct picture_source {
  at::Tensor bytes;       ///< [n, 3, 32, 32] uint8
  at::Tensor labels;      ///< [n] int64
  at::Tensor normalised;  ///< [3, 256] float: the normalised value of each byte, per channel
  std::int64_t pad = 0;   ///< augmentation: maximal translation in pixels, in each direction
  bool flip        = false;
};

/// Each entry may be nullptr. All that return a tensor are differentiable. Which tensors an operation supports is checked in
/// execution/try_fused.hpp.
struct fused_operations {
  /// raw [N, K], truth [N], uniform [N] double, t [] double -> [N, K]: one-hot truth where uniform > t, else softmax(raw).
  at::Tensor (*sample_source)(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform, at::Tensor const& t){};
  /// x [N, C, H, W], C a multiple of 8, weight, bias, running_mean, running_var [C] float, shortcut like x or undefined -> [N, C, H, W]:
  /// batch normalisation of x, + shortcut, then ReLU if `relu`; updates the running statistics as c2f::batch_norm does.
  at::Tensor (*norm_relu)(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& running_mean,
                          at::Tensor const& running_var, at::Tensor const& shortcut, bool relu){};
  /// y -> y, for the second consumer of y. If y is an output of norm_relu, the gradients of both consumers are passed to its backward
  /// kernel separately and summed there; otherwise autograd would sum them in a separate kernel.
  at::Tensor (*gradient_fan_out)(at::Tensor const& y){};
  /// x [N, C, H, W], C a multiple of 8, bias [C], shortcut like x or undefined -> x + bias + shortcut, channels_last, then ReLU if `relu`.
  at::Tensor (*bias_relu)(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu){};
  // The end of a training step: not differentiable, no synchronisation with the host (formulas: cuda/kernels/update.cuh).
  void (*sgd)(flat_update const& update, sgd_rule const& rule){};
  void (*adam)(flat_update const& update, adam_rule const& rule){};
  /// norm [] double: the L2 norm of all gradients together; finite if and only if every element is.
  void (*gradient_norm)(std::span<at::Tensor const> gradients, std::span<flat_piece const> pieces, at::Tensor const& norm){};
  /// norm [] double, losses [L] double -> writes `to`: skip = 1 if any of them is not finite, else 0;
  /// scale = clip > 0 and norm > clip ? clip / norm : 1.
  void (*decide_step)(at::Tensor const& norm, at::Tensor const& losses, double clip, step_outcome const& to){};
  /// ids [N] int64, keys [2] int64 (the bits of seed and epoch) -> images [N, 3, 32, 32] float or bfloat16, channels_last, and truth [N]
  /// int64, equal to those of data::loader. An invalid id, such as -1, gives zeros and the label -100. Not differentiable.
  void (*augment_pictures)(picture_source const& from, at::Tensor const& ids, at::Tensor const& keys, bool augment,
                           at::Tensor const& images, at::Tensor const& truth){};
  /// x [N, ...], ids [N] int64, keys [2] int64 (the bits of seed and epoch) -> x with the elements dropped that c2f::dropout drops; what:
  /// the purpose::dropout of this layer and nesting level, as in layers/dropout.hpp.
  at::Tensor (*dropout)(at::Tensor const& x, at::Tensor const& ids, at::Tensor const& keys, double probability, std::uint32_t what){};
  /// x [N, C, H, W], tiny [N, Z, h, w] -> [N, C + Z, H, W] in x's element type and memory format: x concatenated with tiny broadcast to x's
  /// size (execution/broadcast_map.hpp). h is odd and at most H, or equal to it; likewise w.
  at::Tensor (*concat_broadcast)(at::Tensor const& x, at::Tensor const& tiny){};
  /// tiny [N, C, h, w] -> [N, C, height, width] in the memory format `format`: tiny broadcast to that size, plus `onto` (of that size) if
  /// it is defined; the result then has onto's element type.
  at::Tensor (*broadcast_interior)(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format,
                                   at::Tensor const& onto){};
  /// x [N, C, H, W], C a multiple of 8 -> [N, C, H', W'] channels_last, equal to at::max_pool2d; kernel at most 16. ceil: the output
  /// size is rounded up.
  at::Tensor (*max_pool)(at::Tensor const& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil){};
  /// y [N, K, 4] -> [N, K, height, width] float in the memory format `format`: boxes with edges `edge` pixels wide; 0: hard edges, which
  /// have no gradient (parts/encode_rasterize.hpp).
  at::Tensor (*draw_boxes)(at::Tensor const& y, std::int64_t height, std::int64_t width, double edge, at::MemoryFormat format){};
  /// x [N, C, H, W], z [N, C or 1, H, W], corners: row and column of each sample, in order -> [N, C, height, width] in x's element
  /// type: the rectangle of x * z at the corner of each sample.
  at::Tensor (*multiply_crop)(at::Tensor const& x, at::Tensor const& z, at::IntArrayRef corners, std::int64_t height, std::int64_t width){};
  /// x [N, C, h, w] -> [N, C, height, width], bilinear interpolation with align_corners=False; its gradient is deterministic.
  at::Tensor (*upsample_bilinear)(at::Tensor const& x, std::int64_t height, std::int64_t width){};
  /// raw [N, K, H, W], truth [N, H, W] int64 -> [] float, the mean of -log softmax(raw) at the truth over the pixels whose truth is not
  /// `ignore`; 0 if there is none. It and its gradient are deterministic. Vectors [N, K] are maps of one pixel.
  at::Tensor (*map_cross_entropy)(at::Tensor const& raw, at::Tensor const& truth, std::int64_t ignore){};
};

namespace detail {
template <class T, class R, class... Args>
T owner_of(R (T::*)(Args...) const);
/// Whether a member is declared in T itself and not inherited. A type derived from one with a fused form may compute something else, so the
/// fused form is used only if the member is T's own.
template <auto Member, class T>
inline constexpr bool own_member = std::is_same_v<decltype(owner_of(Member)), T>;
}  // namespace detail

}  // namespace c2f
