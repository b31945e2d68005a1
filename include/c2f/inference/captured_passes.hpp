// c2f/inference/captured_passes.hpp: a stack's answers without gradients; on an accelerator that records, a pass that is repeated.
//
//   c2f::captured_passes<cifar100> passes(c2f::cuda::gpu(), {.bf16 = true});
//   c2f::outputs const& answers = passes(model, images);          // overwritten by the next pass of images of that size
//
// The pass of each size of images is recorded when it is first seen and from then on one launch. It reads the model's numbers where they
// lie, so they may change, as those of a network in training do; but it must always be the same model, and stay where it is. Stacks that
// work on the host (fuse::crop, refine::until) are run as they are.
//
// images are [N, C, H, W] floats on any device; the answers lie on the accelerator's. Cost: on a GPU the memory of each size that was seen.
#pragma once

#include <c2f/execution/accelerator.hpp>
#include <c2f/execution/streams.hpp>
#include <c2f/task/stack.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include <c10/core/DeviceGuard.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// How images lie when a pass gets them.
struct image_form {
  bool bf16          = false;
  bool channels_last = true;
};

template <class Task>
class captured_passes {
 public:
  explicit captured_passes(accelerator on, image_form form = {}) : on_(on), form_(form) {}

  outputs const& operator()(stack<Task> const& model, at::Tensor const& images) {
    at::NoGradGuard const no_gradients;
    c10::DeviceGuard const here(on_.device);
    if (!captures_ || images.dim() != 4) return unrecorded_ = run(model, ready(images));
    one_size& of = passes_[images.sizes().vec()];
    if (!of.images.defined()) of.images = at::empty_like(ready(images));
    of.images.copy_(images.to(on_.device));
    if (!of.work) record(model, of);
    if (!of.work) return unrecorded_ = run(model, of.images);
    of.work->replay();
    return of.answers;
  }

  /// Whether answers are overwritten by the next pass.
  [[nodiscard]] bool captures() const { return captures_; }
  /// How many sizes were recorded, and what keeps others from it; empty where nothing does.
  [[nodiscard]] std::size_t sizes() const { return captures_ ? passes_.size() : 0; }
  [[nodiscard]] std::string const& why() const { return why_; }

 private:
  struct one_size {
    at::Tensor images;
    outputs answers;
    std::unique_ptr<captured_graph> work;  // last, so that it goes before what it writes to
  };

  [[nodiscard]] at::Tensor ready(at::Tensor const& images) const {
    return images
        .to(on_.device)  // first there, then cast: both at once casts where they are
        .to(form_.bf16 ? at::kBFloat16 : at::kFloat)
        .contiguous(form_.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  }
  [[nodiscard]] outputs run(stack<Task> const& model, at::Tensor const& images, bool captured = false) const {
    with_fused const scope(on_.table);
    pass p{.captured = captured};
    return model(images, p);
  }
  void record(stack<Task> const& model, one_size& of) {
    side_stream const other(on_.device);  // the default stream cannot be recorded
    capture_result made = warm_up_and_capture(on_, [this, &model, &of](bool captured) { of.answers = run(model, of.images, captured); });
    of.work        = std::move(made.work);
    why_           = std::move(made.why);
    captures_       = of.work != nullptr;
  }

  accelerator on_;
  image_form form_;
  bool captures_ = on_.capture != nullptr;
  std::string why_;
  outputs unrecorded_;
  std::map<std::vector<std::int64_t>, one_size> passes_;
};

}  // namespace c2f
