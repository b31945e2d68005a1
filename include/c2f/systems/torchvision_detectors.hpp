// c2f/systems/torchvision_detectors.hpp: torchvision's Faster and Mask R-CNN with ResNet-50 and a feature pyramid, and the names of their weights.
//
//   using detector = c2f::systems::torchvision_faster_rcnn<90, c2f::image<3, c2f::dynamic, c2f::dynamic>>;          // COCO
//   using masked   = c2f::systems::torchvision_mask_rcnn<90, c2f::image<3, c2f::dynamic, c2f::dynamic>>;
//   detector net;
//   c2f::load_weights(net, file, c2f::systems::torchvision_names());      // of examples/weights/to_safetensors.py
//
// fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn: class 0 of torchvision is the background, so that its class k is c2f's k - 1. Pictures are normalised by ImageNet's mean
// and deviation; torchvision resizes them to 800 pixels on the shorter and at most 1,333 on the longer side, and pads sizes to multiples of 32.
// Anchors are apart by whole numbers of pixels (whole_strides), which at 800 pixels are others than the strides on the coarsest level.
// The norms are frozen; eps is 0, as torchvision sets it for its weights trained on COCO. The table has the names of the published file, which are
// older than the program's, too. Errors: those of load_weights.
#pragma once

#include <c2f/data/io/weights.hpp>
#include <c2f/systems/detectors.hpp>

#include <cstdint>
#include <string>

namespace c2f::systems {

template <class Head>
struct torchvision_settings : detectors_with<Head, 50, parts_of_detectors::none, frozen_norm_with<0.0>> {
  static constexpr bool crop_aligned = false, whole_strides = true;
};
template <std::int64_t Classes, image_shape In>
using torchvision_faster_rcnn = region_detector<c2f::detections<Classes, 100>, In, torchvision_settings<faster_rcnn>>;
template <std::int64_t Classes, image_shape In>
using torchvision_mask_rcnn = region_detector<c2f::detections<Classes, 100, 100, 28>, In, torchvision_settings<mask_rcnn>>;

/// Names of torchvision's files, of the published one and of today, and c2f's, for load_weights. save_weights writes those of the published
/// file with them; with the pair of "roi_heads." in `rename` alone, those of today.
[[nodiscard]] inline weights_options torchvision_names() {
  weights_options names;
  for (int layer = 0; layer < 4; ++layer)
    names.rename.emplace_back("roi_heads.mask_head.mask_fcn" + std::to_string(layer + 1) + '.',
                              "stages.0.mask_head." + std::to_string(layer) + ".0.");
  names.rename.emplace_back("roi_heads.", "stages.0.");
  for (std::string const tensor : {"weight", "bias"}) {
    for (std::string const blocks : {"inner_blocks.", "layer_blocks."})
      for (int level = 0; level < 4; ++level) {
        std::string const path = "backbone.fpn." + blocks + std::to_string(level) + '.';
        names.rename.emplace_back(path + tensor, path + "0." + tensor);
      }
    names.rename.emplace_back("rpn.head.conv." + tensor, "rpn.head.conv.0.0." + tensor);
  }
  return names;
}

}  // namespace c2f::systems
