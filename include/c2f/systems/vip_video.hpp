// c2f/systems/vip_video.hpp: panoptic labels and depth of a video, frame by frame, by a trained ViP-DeepLab.
//
//   c2f::panoptic::fusion_options const options{.things = {3, 4}};
//   c2f::systems::vip_video video(vip, options);
//   for (at::Tensor const& frame : frames)                        // [3, H, W]
//     if (auto const found = video.add(frame)) use(found->labels, found->depth);      // of the frame two before this one
//   for (auto const& found : video.end()) use(found.labels);      // of the last two; the next frame begins another video
//
// An instance keeps its label, class * divisor + number, in all frames (inference/panoptic_fusion.hpp, stitcher.hpp). Classes of frame t + 1 are
// those of the pass for it and the next frame; the last frame is its own next one. Memory: of two frames, whatever the length; but a video may
// have as many objects of a class as the fusion's divisor says, false ones included: write .divisor = 1 << 20 for a long one.
// With tracking::by_overlap instances of a frame are joined to those of the frame before where these overlap, without the next-frame branch:
// what the branch is compared with. With .relocalise objects that were hidden get their number back (inference/relocaliser.hpp).
//
// With .flip the maps are means over the frames and their mirror images, in which offsets along x change their sign. With .scales they are
// means over frames of these sizes as well: maps are resized back, offsets divided by the scale, and depths multiplied by it, as in training
// enlarged pictures have depths that are divided by it.
//
// Cost: one fusion a frame, and one pass for each scale, twice with .flip. Errors: those of the fusion and stitching; frames of other sizes
// than the first; a scale that leaves no pixel or is no number from 0 to 100, or no scale.
//
// With .on_device maps become labels where the network is (inference/device_fusion.hpp), and only labels and depths come to the host: the same
// labels, meant for a GPU.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/inference/device_fusion.hpp>
#include <c2f/inference/panoptic_fusion.hpp>
#include <c2f/inference/relocaliser.hpp>
#include <c2f/inference/stitcher.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace c2f::systems {

enum class tracking { by_next_frame, by_overlap };

struct vip_video_options {
  tracking by    = tracking::by_next_frame;
  bool flip      = false;  ///< also predict the mirrored frames
  bool on_device = false;  ///< fuse and stitch where the network is, with labels of the same values
  std::vector<double> scales{1};
  std::optional<panoptic::relocaliser_options> relocalise{};  ///< its divisor is that of the fusion
};

/// What is found in a frame, [H, W].
struct video_frame {
  std::vector<std::int64_t> labels;
  std::vector<float> depth;
};

template <class Model>
class vip_video {
 public:
  /// The model must outlive this.
  vip_video(Model const& model, panoptic::fusion_options options, vip_video_options with = {})
      : model_(model), options_(std::move(options)), with_(std::move(with)), stitcher_({.divisor = options_.divisor}) {
    if (with_.scales.empty()) throw input_error("a video is predicted at no scale; write .scales = {1}, or leave it out");
    for (double const scale : with_.scales)
      if (!(scale > 0 && scale <= 100))
        throw input_error("a video cannot be predicted at scale " + std::to_string(scale) + "; write a number above 0, up to 100");
    if (with_.relocalise) {
      with_.relocalise->divisor = options_.divisor;
      again_.emplace(*with_.relocalise);
    }
    if (with_.on_device) device_.emplace(options_, parts::semantic::kind::classes);
  }

  /// frame: [3, H, W], as the network was trained on. Returns what was found in the frame two before this one, if there is one: its
  /// instances are known in the next frame when the classes of that are.
  std::optional<video_frame> add(at::Tensor const& frame) {
    if (newest_.defined() && newest_.sizes() != frame.sizes())
      throw input_error("a frame of " + c2f::detail::dims_of(frame) + " follows one of " + c2f::detail::dims_of(newest_) +
                        " in a video; call end() before another video");
    at::Tensor const before = std::exchange(newest_, frame.clone());
    return before.defined() ? joined(maps_of(before, frame)) : std::nullopt;
  }
  /// What was found in the frames that were not returned yet, at most two; the next frame is of another video.
  std::vector<video_frame> end() {
    std::vector<video_frame> found;
    try {
      if (newest_.defined()) {
        if (auto one = joined(maps_of(newest_, newest_))) found.push_back(std::move(*one));
        found.push_back(finished(*waiting_, {}));
      }
    } catch (...) {  // of more objects than the divisor says: the next video begins anew, too
      reset();
      throw;
    }
    reset();
    return found;
  }

 private:
  using kind  = typename Model::kind;
  using parts = typename kind::parts;

  // Of frame t, where the network is.
  struct maps {
    at::Tensor classes, heat, offsets, next_offsets, depth;  ///< [H, W] and [2, H, W]
  };

  maps maps_of(at::Tensor const& now, at::Tensor const& next) const {
    at::NoGradGuard const no_gradients;
    at::Tensor const pair = at::cat({now, next}).unsqueeze(0);
    at::Tensor found;
    for (double const scale : with_.scales) {
      at::Tensor const one = predicted(pair, scale);
      found                = found.defined() ? found.add(one) : one;
      if (!with_.flip) continue;
      at::Tensor const mirrored = predicted(pair.flip(3), scale).flip(3);
      kind::template raw_of<typename parts::offset>(mirrored).select(1, 1).neg_();
      kind::template raw_of<typename parts::next_offset>(mirrored).select(1, 1).neg_();
      found = found.add(mirrored);
    }
    found = found.div(static_cast<double>(with_.scales.size() * (with_.flip ? 2 : 1))).to(at::kFloat);
    // Copies: a view would keep the maps of all classes until the next pass.
    return {.classes      = kind::template raw_of<typename parts::semantic>(found).argmax(1)[0],
            .heat         = kind::template raw_of<typename parts::centre>(found)[0][0].clone(),
            .offsets      = kind::template raw_of<typename parts::offset>(found)[0].clone(),
            .next_offsets = kind::template raw_of<typename parts::next_offset>(found)[0].clone(),
            .depth        = kind::template raw_of<typename parts::depth>(found)[0][0].clone()};
  }
  // Probabilities, heat, offsets and depths of frames of another size, in the channels of the raw output and the size of the frames.
  at::Tensor predicted(at::Tensor const& pair, double scale) const {
    std::int64_t const rows = pair.size(2), columns = pair.size(3);
    auto const scaled         = [&](std::int64_t side) { return static_cast<std::int64_t>(std::round(static_cast<double>(side) * scale)); };
    std::int64_t const height = scaled(rows), width = scaled(columns);
    if (height < 1 || width < 1)
      throw input_error("frames of " + std::to_string(rows) + " x " + std::to_string(columns) + " pixels have none at scale " +
                        std::to_string(scale) + "; write a larger one in .scales");
    pass p{.mode = eval};
    if (height == rows && width == columns) return kind::predict(model_(pair, p));
    at::Tensor const found = resize_bilinear(kind::predict(model_(resize_bilinear(pair, height, width), p)), rows, columns).contiguous();
    double const down      = static_cast<double>(rows) / static_cast<double>(height),
                 across    = static_cast<double>(columns) / static_cast<double>(width);
    auto const lengthen    = [&](at::Tensor const& offsets) { offsets.select(1, 0).mul_(down), offsets.select(1, 1).mul_(across); };
    lengthen(kind::template raw_of<typename parts::offset>(found));
    lengthen(kind::template raw_of<typename parts::next_offset>(found));
    kind::template raw_of<typename parts::depth>(found).mul_(scale);
    return found;
  }
  void reset() {
    newest_.reset(), waiting_.reset();
    stitcher_.end_sequence();
    if (device_) device_->end_sequence();
    if (again_) again_->end_sequence();
  }
  // The pass before this one has waited for the classes of this frame.
  std::optional<video_frame> joined(maps found) {
    std::optional<video_frame> before;
    if (waiting_) before = finished(*waiting_, found.classes);
    waiting_ = std::move(found);
    return before;
  }
  video_frame finished(maps const& of, at::Tensor const& next_classes) {
    bool const alone = with_.by == tracking::by_overlap || !next_classes.defined();
    auto labels      = device_ ? labels_there(of, alone ? at::Tensor() : next_classes) : labels_here(of, next_classes, alone);
    if (again_) labels = again_->add(labels, of.classes.size(1));  // reads the labels on the host, either way
    return {std::move(labels), numbers<float>(of.depth)};
  }
  std::vector<std::int64_t> labels_there(maps const& of, at::Tensor const& next_classes) {
    auto const frames = [&](at::Tensor const& now, at::Tensor const& next) {
      return next_classes.defined() ? at::stack({now, next}) : now.unsqueeze(0);
    };
    at::Tensor const labels = device_->add(frames(of.classes, next_classes), of.heat, frames(of.offsets, of.next_offsets));
    device_->check_numbers();
    return numbers<std::int64_t>(labels);
  }
  std::vector<std::int64_t> labels_here(maps const& of, at::Tensor const& next_classes, bool alone) {
    auto const classes = numbers<std::int64_t>(of.classes);
    auto const heat = numbers<float>(of.heat), offsets = numbers<float>(of.offsets);
    panoptic::raw_maps const raw{classes, heat, offsets, of.classes.size(0), of.classes.size(1)};
    if (alone) {
      auto const labels = panoptic::fused(raw, options_);
      return stitcher_.add(labels, next_classes.defined() ? labels : std::vector<std::int64_t>());
    }
    auto const pair = panoptic::fused_pair(raw, numbers<std::int64_t>(next_classes), numbers<float>(of.next_offsets), options_);
    return stitcher_.add(pair.labels, pair.next_labels);
  }
  template <class Value>
  static std::vector<Value> numbers(at::Tensor const& map) {
    at::Tensor const there = map.to(at::kCPU).contiguous();
    auto const* const from = there.const_data_ptr<Value>();
    return std::vector<Value>(from, from + there.numel());
  }

  Model const& model_;
  panoptic::fusion_options options_;
  vip_video_options with_;
  panoptic::stitcher stitcher_;
  std::optional<panoptic::device_fusion> device_{};
  std::optional<panoptic::relocaliser> again_{};
  at::Tensor newest_{};
  std::optional<maps> waiting_{};
};

}  // namespace c2f::systems
