// c2f/networks/deep_voting.hpp: detects the semantic parts of an object from votes of local cues.
//
//   using detector = c2f::deep_voting<c2f::vgg16_features<4>, 20>;           // 20 parts, VGG-16 up to pooling 4
//   auto net   = c2f::make_network<detector, c2f::image<3, 224, 224>>(seed);
//   auto maps  = net(images, c2f::train);                                    // [N, 20, 14, 14], logits
//   auto loss  = c2f::deep_voting_loss(maps, targets);                       // targets: 1 near the centre of a part, else 0
//   auto found = c2f::part_detections(maps[0], 16, sizes, {});               // boxes of the given part sizes
//
// Zhang et al., "DeepVoting: a robust and explainable deep network for semantic part detection under partial occlusion", CVPR 2018:
// two layers on the features of a backbone (in the paper pooling 4 of VGG-16). The first detects visual concepts; the second lets them
// vote for parts in their neighbourhood, so that an occluded part can be found from distant cues. All objects are expected at one
// scale. Choices of this implementation: features are normalised to length 1 at each position, so that a concept is a direction
// independent of contrast; 500 concepts of 3x3 with ReLU; 15x15 votes; Dice loss.
//
// Backbone is any architecture that ends in a map. Cost: mostly the voting layer, VotingKernel^2 * Concepts * Parts multiplications per
// position. Errors: part_detections throws c2f::input_error if the numbers of maps and sizes differ.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/sequential.hpp>
#include <c2f/metrics/detection.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace c2f {

/// [N, C, H, W] -> logits [N, Parts, H', W'], of the size of the backbone's map.
template <class Backbone, std::int64_t Parts, std::int64_t Concepts = 500, std::int64_t ConceptKernel = 3, std::int64_t VotingKernel = 15>
struct deep_voting {
  template <shape In>
  struct on {
    // at1, at2: the shapes after the backbone and after the concepts.
    using cue    = conv<Concepts, ConceptKernel, 1, ConceptKernel / 2, c2f::bias>;
    using vote   = conv<Parts, VotingKernel, 1, VotingKernel / 2, c2f::bias>;
    using at1    = typename network_on<Backbone, In>::output;
    using at2    = typename network_on<cue, at1>::output;
    using output = typename network_on<vote, at2>::output;

    network_on<Backbone, In> backbone;
    network_on<cue, at1> concepts;
    network_on<vote, at2> voting;
    C2F_MEMBERS(backbone, concepts, voting);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return votes(backbone(x, m), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires detail::wants_pass<network_on<Backbone, In>>
    {
      return votes(run_network(backbone, x, p), p.mode);
    }

   private:
    at::Tensor votes(at::Tensor const& y, mode m) const {
      // A position without any feature has length 0 and stays 0.
      at::Tensor const direction = y.div(y.norm(2, {1}, true).clamp_min(1e-6));
      return voting(concepts(direction, m).relu(), m);
    }
  };
};

/// 1 - the mean over the parts of the Dice coefficient between sigmoid(maps) and the targets, both [N, Parts, H, W], each over the whole
/// batch. 1 is added to numerator and denominator, so that a part in no image has loss 0 once its map is empty. Returns a scalar.
[[nodiscard]] inline at::Tensor deep_voting_loss(at::Tensor const& maps, at::Tensor const& targets) {
  std::array<std::int64_t, 3> const all{0, 2, 3};
  at::Tensor const p = maps.sigmoid(), both = p.mul(targets).sum(all), sum = p.square().sum(all).add(targets.square().sum(all));
  return both.mul(2).add(1).div(sum.add(1)).mean().neg().add(1);
}

/// Options of part_detections.
struct detection_options {
  double least_score  = .1;  ///< minimal sigmoid(map)
  double most_overlap = .3;  ///< IoU above which the lower-scored of two boxes of one part is removed
};

/// A detected part: its index, its box in pixels of the network's input, its score in (0, 1).
struct found_part {
  std::int64_t part;
  metrics::box where;
  double score;
};

/// The size of the boxes of a part, in pixels of the network's input.
struct part_size {
  double width, height;
};

/// The detections in one image's maps [Parts, H, W] of logits: a box of the part's size for each cell that is a local maximum among its
/// eight neighbours, then non-maximum suppression. The centre of a box is the score-weighted mean of the nine cells, because a part is
/// often no larger than a cell. `stride`: pixels per cell; `sizes`: one per part.
/// Errors: c2f::input_error if maps are not [Parts, H, W] with one size per part.
[[nodiscard]] inline std::vector<found_part> part_detections(at::Tensor const& maps, double stride, std::span<part_size const> sizes,
                                                             detection_options const& options = {}) {
  if (maps.dim() != 3 || maps.size(0) != static_cast<std::int64_t>(sizes.size()))
    throw input_error("there are " + std::to_string(sizes.size()) + " part sizes for maps of " + std::to_string(maps.dim()) +
                      " dimensions with " + std::to_string(maps.dim() > 0 ? maps.size(0) : 0) +
                      " parts; pass [parts, H, W] and one size a part");
  at::Tensor const scores   = maps.detach().sigmoid().to(at::kCPU, at::kFloat).contiguous();
  std::int64_t const height = scores.size(1), width = scores.size(2);
  std::vector<found_part> result;
  for (std::int64_t part = 0; part < scores.size(0); ++part) {
    float const* const map = scores.const_data_ptr<float>() + part * height * width;
    // Calls f(y, x, score) for a cell and its neighbours.
    auto const around      = [&](std::int64_t y, std::int64_t x, auto&& f) {
      for (std::int64_t v = std::max<std::int64_t>(y - 1, 0); v < std::min(y + 2, height); ++v)
        for (std::int64_t u = std::max<std::int64_t>(x - 1, 0); u < std::min(x + 2, width); ++u) f(v, u, double{map[v * width + u]});
    };
    auto const& size = sizes[static_cast<std::size_t>(part)];
    std::vector<metrics::box> boxes;
    std::vector<double> of_boxes;
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        double const score = map[y * width + x];
        double highest = 0, sum = 0, down = 0, right = 0;
        around(y, x, [&](std::int64_t v, std::int64_t u, double each) {
          highest = std::max(highest, each), sum += each;
          down += each * (static_cast<double>(v) + .5), right += each * (static_cast<double>(u) + .5);
        });
        if (score < options.least_score || score < highest || score <= 0) continue;
        boxes.push_back(metrics::box::around(right / sum * stride, down / sum * stride, size.width, size.height));
        of_boxes.push_back(score);
      }
    for (std::size_t const i : metrics::suppress(boxes, of_boxes, options.most_overlap)) result.push_back({part, boxes[i], of_boxes[i]});
  }
  return result;
}

}  // namespace c2f
