// c2f/core/fused.hpp: operations that may have a fused form.
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
#include <utility>

namespace c2f {

/// Each may be nullptr. All are differentiable.
struct fused_operations {
  /// raw [N, K], truth [N], uniform [N] double, t a double -> [N, K]: one-hot of the truth where uniform > t, else softmax(raw).
  at::Tensor (*tell)(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform, at::Tensor const& t) = nullptr;
};

namespace detail {
inline thread_local fused_operations const* fused_now = nullptr;
}  // namespace detail

/// The table of this thread, or nullptr.
[[nodiscard]] inline fused_operations const* fused() { return detail::fused_now; }

/// Sets the table for as long as it lives; nullptr: none.
class with_fused {
 public:
  explicit with_fused(fused_operations const* table) : before_(std::exchange(detail::fused_now, table)) {}
  with_fused(with_fused const&)            = delete;
  with_fused& operator=(with_fused const&) = delete;
  ~with_fused() { detail::fused_now = before_; }

 private:
  fused_operations const* before_;
};

}  // namespace c2f
