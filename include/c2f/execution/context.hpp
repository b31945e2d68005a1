// c2f/execution/context.hpp: what this thread's layers, parts and losses find around them while they run.
//
//   c2f::with_fused const scope(&c2f::cuda::fused);      // sets one entry for as long as it lives
//   c2f::execution().fused                               // nullptr outside of such a scope
//
// Networks, parts and losses are called with tensors and a mode or pass alone; what is not part of their definition (fused operations,
// folding, a broadcast concatenation) is found here, so that task types, parameter paths and files know nothing of it. One context a thread;
// each entry is a pointer that a scope sets and resets. Cost: one thread-local load.
#pragma once

#include <type_traits>
#include <utility>

namespace c2f {

struct fused_operations;
class folding;
class broadcast_concat_scope;

struct execution_context {
  fused_operations const* fused               = nullptr;  ///< the table of fused operations (execution/fused_operations.hpp)
  c2f::folding* folding                       = nullptr;  ///< what records convolutions and norms (execution/folding.hpp)
  broadcast_concat_scope const* concatenation = nullptr;  ///< the concatenated map that is being read (execution/broadcast_map.hpp)
};

namespace detail {
inline constinit thread_local execution_context this_execution{};
}  // namespace detail

/// The context of this thread.
[[nodiscard]] inline execution_context const& execution() { return detail::this_execution; }

namespace detail {

/// Sets one entry of this thread's context for as long as it lives.
template <auto Entry>
class context_scope {
  using value = std::remove_reference_t<decltype(std::declval<execution_context&>().*Entry)>;

 public:
  explicit context_scope(value now) : before_(std::exchange(this_execution.*Entry, now)) {}
  context_scope(context_scope const&)            = delete;
  context_scope& operator=(context_scope const&) = delete;
  ~context_scope() { this_execution.*Entry = before_; }

 private:
  value before_;
};

}  // namespace detail

/// Sets the table of fused operations of this thread; nullptr: none.
using with_fused = detail::context_scope<&execution_context::fused>;

}  // namespace c2f
