// c2f/kinds/dense.hpp: a class for every pixel.
//
//   using network = c2f::unet<4, 16, c2f::dense<1>>;                 // a binary mask
//   using network = c2f::fcn8s<c2f::dense<21>>;                      // PASCAL VOC; label 255 is ignored
//
//   raw         [N, K, H, W] logits
//   prediction  [N, K, H, W], the softmax over K, or the sigmoid if K is 1
//   truth       [N, H, W] int64 in 0 ... K-1 (0 and 1 if K is 1), or `Ignore`: pixels that losses and metrics ignore
// In a truth used as conditioning, ignored pixels are 0 in every channel.
// A network may end at a fraction of the image's size, as segmentation networks do: the stack resizes its logits bilinearly, with the
// borders of both maps aligned and not the centres of their outer pixels (align_corners=False).
// Ren et al. 2020, sections 3.1 and 4.3: "z = y^C", so encode::dense applies its two convolutions to the mask directly.
// Errors: fewer than one class, or an `Ignore` that is a class, is a compile error; a label of K or above that is scored, an input_error.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/labels.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/fwd.hpp>
#include <c2f/kinds/corrupt_mask.hpp>
#include <c2f/loss/masked_cross_entropy.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

namespace detail {
template <std::int64_t Classes>
consteval bool check_dense_classes() {
  static_assert(Classes >= 1, "c2f::dense needs one class or more; write c2f::dense<1> for a mask");
  return true;
}
template <std::int64_t Classes, std::int64_t Ignore>
consteval bool check_dense_ignore() {
  static_assert(Ignore < 0 || Ignore >= (Classes < 2 ? 2 : Classes),
                "the label that c2f::dense ignores is one of its classes; write c2f::dense<classes, label> with a label that no class has");
  return true;
}
}  // namespace detail

/// The kind "one class per pixel"; see the top of this file.
template <std::int64_t Classes, std::int64_t Ignore = 255>
struct dense : detail::static_check<detail::check_dense_classes<Classes>(), detail::check_dense_ignore<Classes, Ignore>()> {
  static constexpr char const* name     = "dense";
  static constexpr std::int64_t classes = Classes, ignore = Ignore;
  /// The number of different labels of a truth, `Ignore` excluded.
  static constexpr std::int64_t labels = Classes < 2 ? 2 : Classes;
  static constexpr bool distribution   = Classes >= 2;
  template <image_shape In>
  using output          = with_channels<In, (Classes < 1 ? 1 : Classes)>;
  using truth_value     = std::int64_t;
  using default_encoder = encode::dense<>;
  using default_loss    = loss::masked_cross_entropy<Ignore>;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 2> truth_dims{In::height, In::width};

  static at::Tensor predict(at::Tensor const& raw) {
    if constexpr (Classes == 1)
      return raw.sigmoid();
    else
      return raw.softmax(1);
  }
  static at::Tensor log_predict(at::Tensor const& raw)
    requires distribution
  {
    return detail::log_softmax(raw);
  }
  static at::Tensor from_truth(at::Tensor const& truth) {
    if constexpr (Classes == 1) return truth.eq(1).to(at::kFloat).unsqueeze(1);
    return truth.unsqueeze(1)
        .eq(at::arange(Classes, truth.options()).view({1, Classes, 1, 1}))
        .to(at::kFloat);  // ignored pixels have no class
  }
  /// Logits [N, K, h, w] -> [N, K, height, width], interpolated bilinearly.
  static at::Tensor resized(at::Tensor const& raw, std::int64_t height, std::int64_t width) { return resize_bilinear(raw, height, width); }
  /// The label of every pixel, [N, H, W]: the most likely one; with one class, 1 if its probability is at least .5.
  static at::Tensor labels_of(at::Tensor const& raw) {
    if constexpr (Classes == 1)
      return raw.select(1, 0).ge(0).to(at::kLong);
    else
      return raw.argmax(1);
  }

  /// {whether a pixel has its true label, whether it counts}, [N, H, W] bool each.
  static std::pair<at::Tensor, at::Tensor> correct(at::Tensor const& raw, at::Tensor const& truth) {
    return {labels_of(raw).eq(truth), truth.ne(Ignore)};
  }

  /// The Dice coefficient of the two masks, 1 if both are empty; with several classes, the mean over those that either contains. [N]
  static at::Tensor agreement(at::Tensor const& a, at::Tensor const& b) {
    at::Tensor const first = labels_of(a), second = labels_of(b);
    at::Tensor sum = at::zeros({a.size(0)}, first.options().dtype(at::kDouble)), present = sum.clone();
    for (std::int64_t label = Classes == 1; label < labels; ++label) {
      at::Tensor const in_first = first.eq(label), in_second = second.eq(label);
      at::Tensor const both = in_first.logical_and(in_second).sum({1, 2}), all = in_first.sum({1, 2}).add(in_second.sum({1, 2}));
      sum.add_(both.mul(2).to(at::kDouble).div(all.clamp_min(1)));
      present.add_(all.gt(0));
    }
    return sum.div(present.clamp_min(1)).masked_fill(present.eq(0), 1).to(at::kFloat);
  }

  /// Masks that resemble predictions of a coarse network (kinds/corrupt_mask.hpp), computed on the host.
  static constexpr double corrupt_rate = 0.4;
  static at::Tensor corrupt(at::Tensor const& truth, double rate, pass const& p) {
    at::Tensor damaged        = truth.to(at::kCPU, at::kLong).clone(at::MemoryFormat::Contiguous);
    std::int64_t const height = damaged.size(1), width = damaged.size(2);
    std::int64_t* const label = damaged.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < damaged.size(0); ++i) {
      random_stream draw = p.draws(purpose::corrupt, i);
      corrupt_mask({label + i * height * width, height, width}, labels - 1, Ignore, rate, draw);
    }
    return damaged.to(truth.device());
  }

  /// Of one class: a true mask that is wrong by as much as another prediction is, pixel by pixel. All [N, 1, H, W], as predictions.
  static at::Tensor with_error_of(at::Tensor const& other, at::Tensor const& other_truth, at::Tensor const& truth)
    requires(Classes == 1)
  {
    return at::where(truth.eq(other_truth), other, other.neg().add(1));
  }

  /// A rectangle of every label on background.
  template <image_shape In>
  static at::Tensor example(std::int64_t n) {
    std::int64_t const height = In::height == dynamic ? 16 : In::height, width = In::width == dynamic ? 16 : In::width;
    at::Tensor truth = at::zeros({n, height, width}, at::TensorOptions(at::kLong));
    random_stream random(1, purpose::synthesis, 0, 0);
    auto const interval = [&](std::int64_t size) {
      std::int64_t const length = 1 + random.below(static_cast<std::uint32_t>((size + 1) / 2));
      return std::pair<std::int64_t, std::int64_t>(random.below(static_cast<std::uint32_t>(size - length + 1)), length);
    };
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t label = 1; label < labels; ++label) {
        auto const [top, high]  = interval(height);
        auto const [left, wide] = interval(width);
        truth.select(0, i).narrow(0, top, high).narrow(1, left, wide).fill_(label);
      }
    return truth;
  }

  /// Metrics from the confusion matrix of all pixels that are not ignored, over all samples.
  /// One class: `dsc`, the Dice coefficient (1 if both masks are empty), and `iou`. Several: `miou`, the mean IoU over the classes in a
  /// truth or a prediction; `pixel`, the accuracy of pixels; `class`, the mean accuracy of the classes in a truth.
  struct score {
    std::int64_t samples = 0;

    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const counted = truth.ne(Ignore);
      at::Tensor const pairs   = truth.mul(labels).add(labels_of(raw)).masked_select(counted);
      at::Tensor const found   = at::bincount(pairs, {}, labels * labels).to(at::kCPU, at::kLong).contiguous();
      auto const* const count  = found.template const_data_ptr<std::int64_t>();
      if (found.numel() > labels * labels)  // a label that is too large has counts behind those of the others
        detail::throw_label("a mask that is scored", (found.numel() - 1) / labels, labels);
      for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += count[i];
      samples += truth.size(0);
    }
    void add(score const& other) {
      samples += other.samples;
      for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    }
    /// The number of pixels of label `truth` that were predicted as `predicted`.
    [[nodiscard]] std::int64_t confusion(std::int64_t truth, std::int64_t predicted) const {
      return counts_[static_cast<std::size_t>(truth * labels + predicted)];
    }
    /// Name and value of each metric, the primary metric first.
    [[nodiscard]] auto values() const {
      double right = 0, all = 0, iou = 0, recall = 0, present = 0, true_classes = 0;
      for (std::int64_t label = 0; label < labels; ++label) {
        auto const [common, in_truth, in_prediction] = counts_of(label);
        double const either                          = in_truth + in_prediction - common;
        right += common;
        all += in_truth;
        present += either > 0;
        true_classes += in_truth > 0;
        iou += common / std::max(either, 1.0);
        recall += common / std::max(in_truth, 1.0);
      }
      if constexpr (Classes == 1) {
        auto const [common, in_truth, in_prediction] = counts_of(1);
        double const both                            = in_truth + in_prediction;
        return std::array<std::pair<char const*, double>, 2>{
            {{"dsc", both > 0 ? 2 * common / both : 1.0}, {"iou", both > 0 ? common / (both - common) : 1.0}}};
      } else {
        return std::array<std::pair<char const*, double>, 3>{{{"miou", iou / std::max(present, 1.0)},
                                                              {"pixel", right / std::max(all, 1.0)},
                                                              {"class", recall / std::max(true_classes, 1.0)}}};
      }
    }

   private:
    // Pixels of a label in both, in the truths, in the predictions.
    [[nodiscard]] std::array<double, 3> counts_of(std::int64_t label) const {
      std::int64_t in_truth = 0, in_prediction = 0;
      for (std::int64_t other = 0; other < labels; ++other) {
        in_truth += confusion(label, other);
        in_prediction += confusion(other, label);
      }
      return {static_cast<double>(confusion(label, label)), static_cast<double>(in_truth), static_cast<double>(in_prediction)};
    }
    std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(static_cast<std::size_t>(labels * labels));
  };
};

}  // namespace c2f
