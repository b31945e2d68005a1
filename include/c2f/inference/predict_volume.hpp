// c2f/inference/predict_volume.hpp: segments a whole volume with three stacks, one for each axis, in rounds, as RSTN does.
//
//   std::array<c2f::stack<c2f::systems::rstn<>>, 3> views;              // to be trained on slices across x, y and z
//   auto const prediction = c2f::data::predict_volume(views, ct, {.multiple = 8});
//   c2f::data::write_nifti("organ.nii.gz", prediction.masks.back());
//
// Round 0: the coarse networks predict every slice; the mean of the three probability volumes is thresholded at .5. Each later round: the
// fine networks are conditioned on the mean of the previous round; the mean of their predictions is thresholded at .5, and connected
// components smaller than half the largest one are removed. It stops when the task's `refine` says so, given the Dice of two successive
// masks, and when a mask is empty. For stacks of c2f::dense<1> with c2f::share::nothing and c2f::combine::fine; a stack without a fine
// network stops after round 0.
//
// As in the testing code of RSTN (https://github.com/twni2016/OrganSegRSTN_PyTorch, coarse2fine_testing.py): the saliency is computed from
// the mean probability, the crop from the mask; a slice is skipped, with probability 0, if the mask is empty in it and in its neighbours.
// Differences: the networks predict only the middle one of three slices; the probability of a removed component, which must not be cropped
// around, is lowered to just below .5; a slice whose mask is empty, but not that of a neighbour, is seen uncropped.
//
// Costs: one slice at a time, so that a slice's crop does not depend on others; one mask a round is kept.
// Errors: input_error if a network does not accept the size of a slice: choose `multiple` accordingly.
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

/// The canvas for slices: its sides are the smallest multiples of `multiple` that hold the slice and are at least `least`. In pixels.
struct volume_canvas {
  std::int64_t multiple = 1, least = 1;
  [[nodiscard]] constexpr std::int64_t side(std::int64_t pixels) const {
    return (std::max(pixels, least) + multiple - 1) / multiple * multiple;
  }
};

/// The result of predict_volume.
struct volume_prediction {
  std::vector<volume<std::uint8_t>> masks;  ///< by round; masks[0] is the coarse networks'
  std::vector<double> agreements;           ///< agreements[i]: the Dice of masks[i + 1] with masks[i]
  volume<float> probability;                ///< the mean probability of the last round
};

namespace detail {
/// The conditioning of the fine networks: the probability, lowered to below .5 where the mask is 0.
inline volume<float> conditioning_of(volume<float> probability, volume<std::uint8_t> const& mask) {
  for (std::size_t i = 0; i < mask.values.size(); ++i)
    if (mask.values[i] == 0) probability.values[i] = std::min(probability.values[i], std::nextafter(0.5f, 0.0f));
  return probability;
}
}  // namespace detail

/// intensities: 0 ... 1. Stack is a c2f::stack; used are kind, completed::refine, has_fine, coarse and run_fine.
template <class Stack>
  requires(Stack::kind::classes == 1)
[[nodiscard]] volume_prediction predict_volume(std::array<Stack, 3> const& views, volume<float> const& intensities,
                                               volume_canvas const& canvas = {}) {
  using kind   = typename Stack::kind;
  using refine = typename Stack::completed::refine;
  at::NoGradGuard const no_gradients;

  // The mean over the views of predict_slice(view, cut, slice): [1, 3, H, W] -> [1, 1, H, W] for each slice.
  auto const mean_over_views = [&](auto const& predict_slice) {
    std::vector<volume<float>> planes;
    for (int axis = 0; axis < 3; ++axis) {
      auto const [height, width] = slice_size(intensities.dims, axis);
      auto const cut             = [&, h = canvas.side(height), w = canvas.side(width)](volume<float> const& v, std::int64_t slice) {
        return cut_slices(v, axis, slice, 1, h, w);
      };
      std::vector<at::Tensor> predictions;
      for (std::int64_t slice = 0; slice < intensities.dims[static_cast<std::size_t>(axis)]; ++slice)
        predictions.push_back(predict_slice(views[static_cast<std::size_t>(axis)], cut, slice));
      planes.push_back(join_slices(at::cat(predictions, 0), intensities.dims, axis, intensities.place));
    }
    return mean_of(planes);
  };

  volume_prediction all;
  all.probability = mean_over_views(
      [&](Stack const& view, auto const& cut, std::int64_t slice) { return kind::predict(view.coarse(cut(intensities, slice), eval)); });
  all.masks.push_back(at_least(all.probability, 0.5f));
  if constexpr (Stack::has_fine) {
    auto const empty = [](volume<std::uint8_t> const& mask) {
      return std::all_of(mask.values.begin(), mask.values.end(), std::logical_not{});
    };
    for (int round = 1; !empty(all.masks.back()); ++round) {
      volume<float> const conditioning = detail::conditioning_of(std::move(all.probability), all.masks.back());
      all.probability                  = mean_over_views([&](Stack const& view, auto const& cut, std::int64_t slice) {
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
