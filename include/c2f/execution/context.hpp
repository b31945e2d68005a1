// c2f/execution/context.hpp: the execution context of a thread, which layers, parts and losses read while they run.
//
//   c2f::with_fused const scope(&c2f::cuda::fused);      // sets one entry for the lifetime of the scope
//   c2f::execution().fused;                              // nullptr outside of such a scope
//
// Networks, parts and losses are called with tensors and a mode or pass only. What is not part of their definition (fused operations,
// folding, a concatenation with a broadcast map) is kept here, so that it appears in no task type, parameter path or file. There is one
// context per thread; each entry is a pointer that a scope sets and restores. Cost: one thread-local load.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace c2f {

struct fused_operations;
class folding;
class layer_watcher;
class broadcast_concat_scope;
class communicator;

struct execution_context {
  fused_operations const* fused               = nullptr;  ///< the table of fused operations (execution/fused_operations.hpp)
  c2f::folding* folding                       = nullptr;  ///< observes convolutions and norms (execution/folding.hpp)
  broadcast_concat_scope const* concatenation = nullptr;  ///< the concatenation that is being read (execution/broadcast_map.hpp)
  std::int64_t* multiply_adds                 = nullptr;  ///< counts what layers compute (execution/multiply_adds.hpp)
  layer_watcher* watcher                      = nullptr;  ///< answers in the place of layers (execution/layer_watcher.hpp)
  communicator* norms = nullptr;  ///< the processes whose batches norms normalise together (execution/communicator.hpp)
  bool recomputing    = false;    ///< layers run a second time, for the gradient: norms keep their running statistics
};

namespace detail {
inline constinit thread_local execution_context this_execution{};
}  // namespace detail

/// The context of this thread.
[[nodiscard]] inline execution_context const& execution() { return detail::this_execution; }

namespace detail {

/// Sets one entry of this thread's context for its lifetime, then restores the previous value.
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

/// Sets the whole context of this thread for its lifetime: autograd may run a backward pass in another thread than the forward pass.
class execution_scope {
 public:
  explicit execution_scope(execution_context const& now) : before_(std::exchange(this_execution, now)) {}
  execution_scope(execution_scope const&)            = delete;
  execution_scope& operator=(execution_scope const&) = delete;
  ~execution_scope() { this_execution = before_; }

 private:
  execution_context before_;
};

}  // namespace detail

/// Sets the table of fused operations of this thread; nullptr: no fused operations.
using with_fused = detail::context_scope<&execution_context::fused>;
/// Sets the processes over which norms compute the statistics of a batch; nullptr: of this process alone.
using with_norms = detail::context_scope<&execution_context::norms>;

}  // namespace c2f
