// c2f/inference/predict_volume.hpp: a whole volume segmented by three stacks that look along its three axes, round by round, as RSTN does it.
//
//   std::array<c2f::stack<task>, 3> views = …;                          // trained on slices across x, y and z
//   auto const answer = c2f::data::predict_volume(views, ct, {.multiple = 8});
//   c2f::data::write_nifti("organ.nii.gz", answer.masks.back());
//
// Round 0: the coarse networks answer every slice; the mean of the three volumes of probabilities is cut at .5. Each round after it: the
// fine networks are told of the last round's mean; the mean of their answers is cut at .5, and parts smaller than half the largest one are
// dropped. It ends when the task's `refine` says so of the Dice of two masks in a row, and when a mask is empty. For stacks of
// c2f::dense<1> with c2f::share::nothing and c2f::combine::fine; a stack without a fine network stops after round 0.
//
// As in the testing code of RSTN (https://github.com/twni2016/OrganSegRSTN_PyTorch, coarse2fine_testing.py): the saliency is made from the
// mean probability, the crop from the mask; a slice of which neither it nor its neighbours have anything in the mask is not looked at
// and has probability 0. Differences: the networks answer the middle one of three slices instead of all; a dropped part, which must
// not be cropped around, is told of as just below .5; a slice with neighbours in the mask, but nothing itself, is looked at as a whole.
//
// Costs: one slice at a time, so that no slice's crop depends on others; a mask a round is kept.
// Errors: input_error where a network refuses the size of a slice: choose `multiple` so that it does not.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <c2f/core/pass.hpp>
#include <c2f/data/volumes/components.hpp>
#include <c2f/data/volumes/slices.hpp>
#include <c2f/data/volumes/volume.hpp>
#include <c2f/metrics/overlap.hpp>

namespace c2f::data {

/// The canvas that slices lie on: its sides are multiples of `multiple`, and at least `least`.
struct volume_canvas {
  std::int64_t multiple = 1, least = 1;
  [[nodiscard]] constexpr std::int64_t side(std::int64_t pixels) const {
    return (std::max(pixels, least) + multiple - 1) / multiple * multiple;
  }
};

struct volume_prediction {
  std::vector<volume<std::uint8_t>> masks;  ///< by round; the first is the coarse networks'
  std::vector<double> agreements;           ///< Dice of each mask but the first with the one before it
  volume<float> probability;                ///< of the last round
};

namespace detail {
/// What the fine networks are told: the probability, but below .5 where the mask has dropped a voxel.
inline volume<float> conditioning_of(volume<float> probability, volume<std::uint8_t> const& mask) {
  for (std::size_t i = 0; i < mask.values.size(); ++i)
    if (mask.values[i] == 0) probability.values[i] = std::min(probability.values[i], std::nextafter(0.5f, 0.0f));
  return probability;
}
}  // namespace detail

/// Requires of Stack what c2f::stack has: kind, completed::refine, has_fine, coarse and run_fine.
template <class Stack>
  requires(Stack::kind::classes == 1)
[[nodiscard]] volume_prediction predict_volume(std::array<Stack, 3> const& views, volume<float> const& intensities,
                                               volume_canvas const& canvas = {}) {
  using kind   = typename Stack::kind;
  using refine = typename Stack::completed::refine;
  at::NoGradGuard const no_gradients;

  // The mean over the views of what `answer` says, [1, 1, H, W], of each slice [1, 3, H, W].
  auto const fused = [&](auto const& answer) {
    std::vector<volume<float>> planes;
    for (int axis = 0; axis < 3; ++axis) {
      auto const [height, width] = slice_size(intensities.dims, axis);
      auto const cut             = [&, h = canvas.side(height), w = canvas.side(width)](volume<float> const& v, std::int64_t slice) {
        return cut_slices(v, axis, slice, 1, h, w);
      };
      std::vector<at::Tensor> answers;
      for (std::int64_t slice = 0; slice < intensities.dims[static_cast<std::size_t>(axis)]; ++slice)
        answers.push_back(answer(views[static_cast<std::size_t>(axis)], cut, slice));
      planes.push_back(join_slices(at::cat(answers, 0), intensities.dims, axis, intensities.place));
    }
    return mean_of(planes);
  };

  volume_prediction all;
  all.probability = fused(
      [&](Stack const& view, auto const& cut, std::int64_t slice) { return kind::predict(view.coarse(cut(intensities, slice), eval)); });
  all.masks.push_back(at_least(all.probability, 0.5f));
  if constexpr (Stack::has_fine) {
    auto const empty = [](volume<std::uint8_t> const& mask) {
      return std::all_of(mask.values.begin(), mask.values.end(), std::logical_not{});
    };
    for (int round = 1; !empty(all.masks.back()); ++round) {
      volume<float> const conditioning = detail::conditioning_of(std::move(all.probability), all.masks.back());
      all.probability          = fused([&](Stack const& view, auto const& cut, std::int64_t slice) {
        at::Tensor const around = cut(conditioning, slice), middle = around.narrow(1, 1, 1);
        if (!around.ge(0.5).any().template item<bool>()) return at::zeros(middle.sizes(), middle.options());
        pass p{.mode = eval};
        return kind::predict(view.run_fine(cut(intensities, slice), middle, p));
      });
      all.masks.push_back(keep_large_components(at_least(all.probability, 0.5f)));
      metrics::overlap between;
      between.add(all.masks.back().values, all.masks[all.masks.size() - 2].values);
      all.agreements.push_back(between.dsc());
      if (refine::stops(between.dsc(), round)) break;
    }
  }
  return all;
}

}  // namespace c2f::data
