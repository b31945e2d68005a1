// c2f/execution/fused_operations.hpp: operations that may have a fused form.
//
//   c2f::with_fused const scope(&c2f::cuda::fused);      // c2f/cuda/fused.hpp: kernels for CPU and GPU
//   model(images, step);                                 // what it does inside of the scope may use them
//
// Everything in c2f is defined by ATen's operations. Where a fused form of several of them exists, the code that needs it asks for it here
// and else does what the definition says. Which of both runs changes no number but by rounding, and no parameter's path. The table belongs
// to the thread: c2f::fit opens a scope where the recipe says so (recipe.on).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace c2f {

/// Where a parameter lies in the flat buffers of flat_update, and what it takes of learning rate and weight decay.
struct flat_piece {
  std::int64_t begin, size;  ///< in elements; begin is a multiple of 64
  double learning_rate_multiplier = 1, weight_decay_multiplier = 1;
};
/// One update of all parameters. What the device holds is read when the update runs there.
struct flat_update {
  at::Tensor parameters{};                  ///< [all] float
  at::Tensor low{};                         ///< [all] bfloat16, the parameters rounded; undefined: there is none
  std::span<flat_piece const> pieces{};     ///< in the order of their begins
  std::span<at::Tensor const> gradients{};  ///< one a piece, float or bfloat16, dense, in its memory order; undefined: it is left alone
  double weight_decay = 0;
  at::Tensor learning_rate{};   ///< [] double
  at::Tensor scale{};  ///< [] float, a factor of all gradients; undefined: 1
  at::Tensor skip{};   ///< [] float: unless it is 0 nothing changes; undefined: 0
};
struct sgd_rule {
  double momentum = 0;
  bool nesterov   = false;
  at::Tensor momenta{};  ///< [all] float; undefined where momentum is 0
};
struct adam_rule {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool decoupled = false;        ///< the weight decay: AdamW
  at::Tensor first{}, second{};  ///< [all] float: the moments
  at::Tensor step{};             ///< [] int64: updates done, of which skipped ones are none; adam counts it
};
/// What is said of a step when its gradients are known.
struct step_outcome {
  at::Tensor skip, scale;  ///< [] float
  at::Tensor result;       ///< [L + 1] double: the losses, and skip
};
/// The bytes of a split of pictures (data/pictures.hpp).
struct picture_source {
  at::Tensor bytes;       ///< [n, 3, 32, 32] uint8
  at::Tensor labels;      ///< [n] int64
  at::Tensor normalised;  ///< [3, 256] float: what a byte of a channel becomes
  std::int64_t pad = 0;   ///< augmentation moves by at most so many pixels each way
  bool flip        = false;
};

/// Each may be nullptr. All that return a tensor are differentiable.
struct fused_operations {
  /// raw [N, K], truth [N], uniform [N] double, t a double -> [N, K]: one-hot of the truth where uniform > t, else softmax(raw).
  at::Tensor (*sample_source)(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform, at::Tensor const& t){};
  /// x [N, C, H, W], C a multiple of 8, weight, bias, running_mean, running_var [C] float, shortcut like x or undefined -> [N, C, H, W]:
  /// x normalised by its own mean and variance, + shortcut, then relu where asked; running statistics move as c2f::batch_norm moves them.
  at::Tensor (*norm_relu)(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& running_mean,
                          at::Tensor const& running_var, at::Tensor const& shortcut, bool relu){};
  /// y -> y for a second reader. Where y is what norm_relu has made, the gradients of both go to it apart, and it adds them while it reads
  /// them; a sum by itself reads and writes them once more.
  at::Tensor (*gradient_fan_out)(at::Tensor const& y){};
  /// x [N, C, H, W], C a multiple of 8, bias [C], shortcut like x or undefined -> x + bias + shortcut, channels last, then relu where asked.
  at::Tensor (*bias_relu)(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu){};
  // Of the end of a training step; not differentiable, no number goes to the host (cuda/kernels/update.cuh has the formulas).
  void (*sgd)(flat_update const& update, sgd_rule const& rule){};
  void (*adam)(flat_update const& update, adam_rule const& rule){};
  /// norm [] double: of all gradients together; finite exactly where each of their numbers is.
  void (*gradient_norm)(std::span<at::Tensor const> gradients, std::span<flat_piece const> pieces, at::Tensor const& norm){};
  /// norm [] double, losses [L] double -> to: skip = a number of them is not finite; scale = clip > 0 and norm > clip ? clip / norm : 1.
  void (*decide_step)(at::Tensor const& norm, at::Tensor const& losses, double clip, step_outcome const& to){};
  /// ids [N] int64, keys [2] int64 (the bits of seed and epoch) -> images [N, 3, 32, 32] float or bfloat16, channels last, and truth [N]
  /// int64, as data::loader makes them. An id that is no sample's, such as -1, gives zeros and -100. Not differentiable.
  void (*augment_pictures)(picture_source const& from, at::Tensor const& ids, at::Tensor const& keys, bool augment,
                           at::Tensor const& images, at::Tensor const& truth){};
  /// x [N, ...], ids [N] int64, keys [2] int64 (the bits of seed and epoch) -> x with numbers dropped as c2f::dropout drops them; what: the
  /// number of the purpose that pass::draws makes of purpose::dropout, place and level.
  at::Tensor (*dropout)(at::Tensor const& x, at::Tensor const& ids, at::Tensor const& keys, double probability, std::uint32_t what){};
  /// x [N, C, H, W], tiny [N, Z, h, w] -> [N, C + Z, H, W] of x's number type, lying as x does: x, and beside it tiny, whose middle row and
  /// column are repeated up to x's size. h is odd and at most H, or H; so is w.
  at::Tensor (*concat_broadcast)(at::Tensor const& x, at::Tensor const& tiny){};
  /// tiny [N, C, h, w] -> [N, C, height, width], lying as `format` says: its middle row and column repeated, as there, and added to `onto`,
  /// such a map, where that is defined; of onto's number type then.
  at::Tensor (*broadcast_interior)(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format, at::Tensor const& onto){};
  /// x [N, C, H, W], C a multiple of 8 -> [N, C, H', W'] channels last, as at::max_pool2d has it; kernel at most 16. ceil: the last windows
  /// may end outside.
  at::Tensor (*max_pool)(at::Tensor const& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil){};
  /// y [N, K, 4] -> [N, K, height, width] float, lying as `format` says: boxes with edges so many pixels wide, 0: hard ones, which have no
  /// gradient.
  at::Tensor (*draw_boxes)(at::Tensor const& y, std::int64_t height, std::int64_t width, double edge, at::MemoryFormat format){};
  /// x [N, C, H, W], z [N, C or 1, H, W], corners [row, column] of each sample, one after the other -> [N, C, height, width] of x's number
  /// type: of each sample of x * z the rectangle at its corner.
  at::Tensor (*multiply_crop)(at::Tensor const& x, at::Tensor const& z, at::IntArrayRef corners, std::int64_t height, std::int64_t width){};
  /// x [N, C, h, w] -> [N, C, height, width], by linear interpolation between the middles of pixels; its gradient is deterministic.
  at::Tensor (*upsample_bilinear)(at::Tensor const& x, std::int64_t height, std::int64_t width){};
  /// raw [N, K, H, W], truth [N, H, W] int64 -> [] float, the mean of -log softmax(raw) at the truth over the pixels whose truth is not
  /// `ignore`; 0 where there is none. Deterministic, as is its gradient. Vectors are maps of one pixel.
  at::Tensor (*map_cross_entropy)(at::Tensor const& raw, at::Tensor const& truth, std::int64_t ignore){};
};

namespace detail {
template <class T, class R, class... Args>
T owner_of(R (T::*)(Args...) const);
/// Whether a member is T's own. A type that is derived from one with a fused form may compute something else than its base, so such a form
/// is used only where the member is its own.
template <auto Member, class T>
inline constexpr bool own_member = std::is_same_v<decltype(owner_of(Member)), T>;
}  // namespace detail

}  // namespace c2f
