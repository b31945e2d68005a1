// c2f/inference/predictor.hpp: a trained model, optimised for inference.
//
//   c2f::predictor<cifar100> predict(model);                                     // on the CPU
//   c2f::predictor<cifar100> on_gpu(model, {.on = c2f::cuda::gpu(), .bf16 = true});
//   auto [coarse, fine] = predict(images);                                       // raw outputs of both, as model(images, c2f::eval)
//   at::Tensor maps = predict(images).output("coarse.attention");                // a side output
//
// Holds a copy of the model, without gradients, whose norms are folded into the convolutions before them (execution/folding.hpp); the
// remaining bias, residual addition and ReLU are one kernel if there are fused operations. On an accelerator with graph capture
// (cuda/gpu.hpp) the pass of each image size [N, C, H, W] is captured at its first call and then replayed: one launch. Stacks that need the
// host (fuse::crop, refine::until) are run without capture.
//
// images are [N, C, H, W] floats on any device; the outputs are on the predictor's device and owned by the caller.
// Cost: a copy of the model; on a GPU the memory of a pass of each size. Errors: those of the stack; input_error for a device that is not
// there, and for images that are not floats.
#pragma once

#include <c2f/execution/folding.hpp>
#include <c2f/inference/captured_passes.hpp>

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// Where and how a predictor computes.
struct predictor_options {
  accelerator on     = {};
  bool bf16          = false;  ///< images, parameters and activations in bfloat16
  bool fold          = true;   ///< fold norms into convolutions
  bool channels_last = true;
};

// For an invalid task: the diagnostic was emitted by the check; follow-on errors are suppressed.
template <class T>
class predictor {
 public:
  explicit predictor(detail::model_of<T> const&, predictor_options const& = {}) {}
  template <class... Any>
  outputs operator()(Any const&...) const {
    return {};
  }
};

/// A copy of a model for inference. T: a model, or the task of a stack.
template <class T>
  requires detail::valid_model<detail::model_of<T>>
class predictor<T> {
 public:
  using model_type = detail::model_of<T>;

  explicit predictor(model_type model, predictor_options const& options = {}) : model_(std::move(model)), options_(options) {
    at::NoGradGuard const no_gradients;
    move_to(model_, device());
    if (options_.channels_last) to_channels_last(model_);
    if (options_.fold) fold();
    for_each_tensor(model_, [&](std::string const&, state_tensor& each, state_traits const& traits) {
      each.assign(each.tensor().detach());
      if (options_.bf16 && traits.trained) each.set_bf16_copy(each.tensor().to(at::kBFloat16));
    });
  }

  /// images [N, C, H, W] float -> raw outputs, without gradients.
  outputs operator()(at::Tensor const& images) {
    outputs const& found = passes_(model_, images);
    if (!passes_.captures()) return found;
    std::vector<std::pair<at::Tensor, at::Tensor>> copies;  // equal tensors are copied once
    auto const copy = [&](at::Tensor const& tensor) {
      for (auto const& [from, to] : copies)
        if (from.is_same(tensor)) return to;
      return copies.emplace_back(tensor, tensor.defined() ? tensor.clone() : at::Tensor()).second;
    };
    outputs own{copy(found.coarse), copy(found.fine), copy(found.answer), {}};
    for (auto const& [name, value, scored] : found.side) own.side.push_back({name, copy(value), scored});
    return own;
  }

  /// The number of folded norms.
  [[nodiscard]] std::int64_t folded() const { return folded_; }
  /// The number of captured image sizes, and the reason if passes are not captured (else empty).
  [[nodiscard]] std::size_t captured_sizes() const { return passes_.sizes(); }
  [[nodiscard]] std::string const& why_not_captured() const { return passes_.why_not_captured(); }

 private:
  [[nodiscard]] at::Device device() const { return options_.on.device; }

  /// Disables TF32 for its lifetime: its rounding to ten bits is as large as the difference that `close` accepts.
  class exact_convolutions {
   public:
    exact_convolutions() { at::globalContext().setAllowTF32CuDNN(false); }
    exact_convolutions(exact_convolutions const&)            = delete;
    exact_convolutions& operator=(exact_convolutions const&) = delete;
    ~exact_convolutions() { at::globalContext().setAllowTF32CuDNN(before_); }

   private:
    bool before_ = at::globalContext().allowTF32CuDNN();
  };

  void fold() {
    using input               = typename model_type::input;
    std::int64_t const height = input::height == dynamic ? 64 : input::height, width = input::width == dynamic ? 64 : input::width;
    at::Tensor const example = at::empty({2, input::channels, height, width}, at::TensorOptions(at::kFloat));
    random_stream random(1, purpose::synthesis, 0, 0);
    float* const number = example.template mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < example.numel(); ++i) number[i] = static_cast<float>(random.normal());
    at::Tensor const x = example.to(device());

    exact_convolutions const exact;
    model_type whole = model_;
    folding folds;
    outputs before;
    {
      folding::scope const detect(folds);
      pass p;
      before = detail::run_model(model_, x, p);
    }
    auto const* const table = options_.on.table;
    folded_                 = folds.apply(/*keep_shift=*/table != nullptr && table->bias_relu != nullptr);
    pass p;
    outputs const after = detail::run_model(model_, x, p);
    bool same           = close(before.coarse, after.coarse) && close(before.fine, after.fine) && close(before.answer, after.answer);
    for (std::size_t i = 0; same && i < before.side.size(); ++i) same = close(before.side[i].value, after.side[i].value);
    if (!same) {  // something else reads a convolution's output
      model_  = std::move(whole);
      folded_ = 0;
    }
  }
  static bool close(at::Tensor const& a, at::Tensor const& b) {
    if (!a.defined()) return true;
    if (a.sizes() != b.sizes()) return false;
    if (a.numel() == 0 || !a.is_floating_point()) return true;
    return a.sub(b).abs().max().le(a.abs().max().mul(1e-3).add(1e-5)).template item<bool>();
  }

  model_type model_;
  predictor_options options_;
  std::int64_t folded_ = 0;
  captured_passes<T> passes_{options_.on, {options_.bf16, options_.channels_last}};
};
template <class Task>
predictor(stack<Task>, predictor_options const& = {}) -> predictor<Task>;
template <class M>
predictor(M, predictor_options const& = {}) -> predictor<M>;

}  // namespace c2f
