// c2f/inference/captured_passes.hpp: inference passes of a model, captured and replayed where the accelerator has graph capture.
//
//   c2f::captured_passes<cifar100> passes(c2f::cuda::gpu(), {.bf16 = true});
//   c2f::outputs const& outputs = passes(model, images);          // overwritten by the next pass of images of that size
//
// The pass of each size of images is captured at its first call and then replayed with one launch. It reads the model's tensors in place,
// so their values may change, as during training; but it must always be the same model at the same address. Stacks that need the host
// (fuse::crop, refine::until) are run without capture.
//
// images are [N, C, H, W] floats on any device; the outputs are on the accelerator's device. Cost: on a GPU the memory of a pass of each
// size. Errors: those of the stack.
#pragma once

#include <c2f/execution/accelerator.hpp>
#include <c2f/execution/streams.hpp>
#include <c2f/task/model.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include <c10/core/DeviceGuard.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// Element type and memory format of the images of a pass.
struct image_form {
  bool bf16          = false;
  bool channels_last = true;
};

/// Passes of one model, by image size; see the top of this file. T: a model, or the task of a stack.
template <class T>
class captured_passes {
 public:
  using model_type = detail::model_of<T>;

  explicit captured_passes(accelerator on, image_form form = {}) : on_(on), form_(form) {}

  /// images [N, C, H, W] float. The outputs are valid until the next pass.
  outputs const& operator()(model_type const& model, at::Tensor const& images) {
    at::NoGradGuard const no_gradients;
    if (!images.defined() || !images.is_floating_point())
      throw input_error(std::string("'") + model_type::name + "' predicts from images [N, C, H, W] of floats, found " +
                        detail::text_of(images) + "; convert them, and scale them as in training");
    c10::DeviceGuard const here(on_.device);
    if (!captures_ || images.dim() != 4) return uncaptured_ = run(model, ready(images));
    one_size& of = passes_[images.sizes().vec()];
    if (!of.images.defined()) of.images = at::empty_like(ready(images));
    of.images.copy_(images.to(on_.device));
    if (!of.work) capture(model, of);
    if (!of.work) return uncaptured_ = run(model, of.images);
    of.work->replay();
    return of.result;
  }

  /// Whether passes are captured; their outputs are then overwritten by the next pass.
  [[nodiscard]] bool captures() const { return captures_; }
  /// The number of captured image sizes, and the reason if passes are not captured (else empty).
  [[nodiscard]] std::size_t sizes() const { return captures_ ? passes_.size() : 0; }
  [[nodiscard]] std::string const& why_not_captured() const { return why_; }

 private:
  struct one_size {
    at::Tensor images;
    outputs result;
    std::unique_ptr<captured_graph> work;  // declared last, so that it is destroyed before the tensors it writes to
  };

  [[nodiscard]] at::Tensor ready(at::Tensor const& images) const {
    return images
        .to(on_.device)  // first moved, then cast: one call would cast on the source device
        .to(form_.bf16 ? at::kBFloat16 : at::kFloat)
        .contiguous(form_.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  }
  [[nodiscard]] outputs run(model_type const& model, at::Tensor const& images, bool captured = false) const {
    with_fused const scope(on_.table);
    pass p{.capturing = captured};
    return detail::explained([&] { return detail::run_model(model, images, p); },
                             [&] { return std::string("'") + model_type::name + "' on images " + detail::text_of(images); });
  }
  void capture(model_type const& model, one_size& of) {
    side_stream const other(on_.device);  // the default stream cannot be captured
    capture_result made = warm_up_and_capture(on_, [this, &model, &of](bool captured) { of.result = run(model, of.images, captured); });
    of.work             = std::move(made.work);
    why_                = std::move(made.why);
    captures_           = of.work != nullptr;
  }

  accelerator on_;
  image_form form_;
  bool captures_ = on_.capture != nullptr;
  std::string why_;
  outputs uncaptured_;  // of the last pass that was not captured
  std::map<std::vector<std::int64_t>, one_size> passes_;
};

}  // namespace c2f
