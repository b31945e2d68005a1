// c2f/execution/communicator.hpp: the processes that train one model together.
//
//   c2f::fit(model, data, recipe.on(world));       // every process calls it; the recipe's batch is that of all processes together
//
// The training sees other processes only through this class; c2f::dist::world (dist/world.hpp) is one, by LibTorch's c10d. All functions but
// rank() and size() are collective: every process calls them, in the same order. A recipe without a communicator trains in one process, and
// nothing is called.
//
// Errors: c2f::error if another process is lost or does not answer.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace c2f {

/// One process of several.
struct process_share {
  int rank = 0, of = 1;
};

/// Sums the gradients of a network over the processes while the backward pass still runs.
class gradient_reduction {
 public:
  gradient_reduction()                                     = default;
  gradient_reduction(gradient_reduction const&)            = delete;
  gradient_reduction& operator=(gradient_reduction const&) = delete;
  virtual ~gradient_reduction()                            = default;

  /// Call it before the last backward pass of a step: begins to sum `also` in place, and from then on each gradient as soon as it is complete.
  virtual void begin(std::vector<at::Tensor> also) = 0;
  /// Call it after that backward pass: waits for all sums. A parameter has a gradient afterwards if it had one in any process.
  virtual void finish()                            = 0;
};

/// A group of processes, each with a rank 0 ... size - 1.
class communicator {
 public:
  communicator()                               = default;
  communicator(communicator const&)            = delete;
  communicator& operator=(communicator const&) = delete;
  virtual ~communicator()                      = default;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;

  /// The texts of all processes, by rank.
  [[nodiscard]] virtual std::vector<std::string> gather(std::string const& own)                                                  = 0;
  /// Copies the tensor of rank 0 to all processes.
  virtual void broadcast(at::Tensor const& tensor)                                                                               = 0;
  /// Sums a tensor over the processes, in place.
  virtual void sum(at::Tensor const& tensor)                                                                                     = 0;
  /// leaves: parameters, in the order of the network; their gradients are summed in fixed buckets, the last ones first. rare: parameters that
  /// seldom have a gradient of their own, such as those with a bfloat16 copy; they are summed after the others.
  [[nodiscard]] virtual std::unique_ptr<gradient_reduction> reduce(std::vector<at::Tensor> leaves, std::vector<at::Tensor> rare) = 0;
  /// Batch normalisation in training with the statistics of the samples of all processes (Ioffe and Szegedy 2015): x [N, C, ...], and per
  /// channel weight, bias, running mean and running variance, which are updated with momentum .1; eps is added to the variance.
  [[nodiscard]] virtual at::Tensor batch_norm(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias,
                                              at::Tensor const& running_mean, at::Tensor const& running_var, double eps)         = 0;
};

}  // namespace c2f
