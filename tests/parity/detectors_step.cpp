// A training step and the answers of detectors with weights and data from Python:
//   parity_detectors_step plain|both|cascade|retina|mask|htc IN OUT
//   in    state.<path>, images, truth, ids, order (i64: seed, epoch)
//   out   loss.<name>, gradient.<path>, answer, flipped
#include "state.hpp"

#include <c2f/c2f.hpp>
#include <c2f/layers/switchable_atrous.hpp>
#include <c2f/systems/one_stage_detector.hpp>
#include <c2f/systems/recursive_pyramid.hpp>
#include <c2f/systems/region_detector.hpp>

#include <cstdio>
#include <exception>

namespace {

using kind  = c2f::detections<3, 5>;
using image = c2f::image<3, 64, 96>;

template <class Base>
struct small : Base {
  using backbone = c2f::pyramid_on<c2f::small_stages<8, 8, 12, 16>, c2f::fpn<12>>;
  using box_head = c2f::two_layer_head<24>;
  static constexpr std::array<double, 1> anchor_scales{4};
  static constexpr std::int64_t rpn_sample = 32, before_nms = 60, after_nms = 40, before_nms_at_inference = 50, after_nms_at_inference = 30,
                                crop = 5, box_sample = 24;
};
struct plain : small<c2f::systems::faster_rcnn> {
  static constexpr bool crop_aligned = false;  // as torchvision
};
struct both : plain {
  using backbone = c2f::systems::recursive_pyramid<c2f::small_stages_with<c2f::block_layers, c2f::switchable<>, 8, 8, 12, 16>, 12>;
};
struct cascade : small<c2f::systems::cascade_rcnn> {
  static constexpr bool crop_aligned = false;
};
struct retina : c2f::systems::retina_net {
  using backbone                   = plain::backbone;
  static constexpr int more_levels = 1;
  static constexpr std::array<double, 1> anchor_scales{4};
  static constexpr std::size_t tower       = 2;
  static constexpr std::int64_t before_nms = 70;
};

// With masks of 8 x 8 cells.
using masked_kind = c2f::detections<3, 5, 100, 8>;
template <class Base>
struct with_masks : small<Base> {
  using mask_head                         = c2f::fcn_mask_head<10, 2>;
  static constexpr std::int64_t mask_crop = 4;
  static constexpr bool crop_aligned      = false;
};

template <class Model>
void step(char const* in, char const* out) {
  auto given = parity::read(in);
  Model model;
  parity::load(model, given, "state.");
  at::Tensor const ids   = given.at("ids");
  auto const* const keys = given.at("order").const_data_ptr<std::int64_t>();
  c2f::pass p{.mode  = c2f::train,
              .truth = given.at("truth"),
              .seed  = static_cast<std::uint64_t>(keys[0]),
              .epoch = static_cast<std::uint64_t>(keys[1]),
              .ids   = {ids.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(ids.numel())}};
  parity::tensors results;
  {
    model.answers.least_score = std::same_as<Model, c2f::systems::one_stage_detector<kind, image, retina>> ? .55 : .2;
    c2f::pass look;
    results["answer"]  = model(given.at("images"), look);
    model.answers.flip = true;
    results["flipped"] = model(given.at("images"), look);
  }
  model(given.at("images"), p);
  p.loss().backward();
  for (auto const& [name, value] : p.losses) results["loss." + name] = value;
  parity::save_gradients(model, results, "gradient.");
  parity::write(out, results);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_detectors_step plain|both|cascade|retina|mask|htc IN OUT");
  std::string const what = words[1];
  if (what == "plain")
    step<c2f::systems::region_detector<kind, image, plain>>(words[2], words[3]);
  else if (what == "both")
    step<c2f::systems::region_detector<kind, image, both>>(words[2], words[3]);
  else if (what == "cascade")
    step<c2f::systems::region_detector<kind, image, cascade>>(words[2], words[3]);
  else if (what == "mask")
    step<c2f::systems::region_detector<masked_kind, image, with_masks<c2f::systems::mask_rcnn>>>(words[2], words[3]);
  else if (what == "htc")
    step<c2f::systems::region_detector<masked_kind, image, with_masks<c2f::systems::hybrid_task_cascade>>>(words[2], words[3]);
  else
    step<c2f::systems::one_stage_detector<kind, image, retina>>(words[2], words[3]);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_detectors_step: %s\n", wrong.what());
  return 1;
}
