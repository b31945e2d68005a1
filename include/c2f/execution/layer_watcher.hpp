// c2f/execution/layer_watcher.hpp: watches the convolutions, linear layers and norms that a pass runs, and answers in their place.
//
//   auto const watched_by = [](c2f::layer_watcher& mine) {
//     c2f::layer_watcher::scope const watching(mine);
//     return net(images, c2f::eval);
//   };
//
// c2f::channel_graph (execution/channel_graph.hpp) finds in this way which layer reads which channel. Layers of c2f that report themselves:
// conv, depthwise_conv, linear, batch_norm; gunn reports its maps. Cost: one thread-local load for each layer of a pass that is not watched.
// Errors: none.
#pragma once

#include <c2f/core/state_tensor.hpp>
#include <c2f/execution/context.hpp>

namespace c2f {

/// A convolution or linear layer that was called.
struct watched_layer {
  state_tensor const* weight;          ///< [out, in, ...]
  state_tensor const* bias = nullptr;  ///< [out], if it has one
  bool padded              = false;    ///< zeros around x are read, too
  bool depthwise           = false;    ///< one kernel a channel
};
/// A norm that was called, with its parameters and running statistics [C].
struct watched_norm {
  state_tensor const *weight, *bias, *running_mean, *running_var;
};

class layer_watcher {
 public:
  /// Watches the networks that this thread runs, for the lifetime of the scope.
  struct scope : detail::context_scope<&execution_context::watcher> {
    explicit scope(layer_watcher& by) : context_scope(&by) {}
  };

  layer_watcher()                                = default;
  layer_watcher(layer_watcher const&)            = delete;
  layer_watcher& operator=(layer_watcher const&) = delete;

  /// Called by a layer that computes y of x, which it has detached; what is returned is the layer's output.
  virtual at::Tensor layer(at::Tensor const& x, at::Tensor const& y, watched_layer const& which) = 0;
  /// Called by a norm instead of normalising x.
  virtual at::Tensor norm(at::Tensor const& x, watched_norm const& which)                        = 0;
  /// Called by a layer with a map that it reads or writes and whose channels cannot be taken out, as it counts on their number.
  virtual void fixed(at::Tensor const& map)                                                      = 0;

 protected:
  ~layer_watcher() = default;
};

}  // namespace c2f
