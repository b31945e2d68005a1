// Small detectors and pictures of squares, for the tests of detectors.
#pragma once

#include <c2f/c2f.hpp>
#include <c2f/data/objects.hpp>
#include <c2f/systems/detectors.hpp>
#include <c2f/systems/one_stage_detector.hpp>

#include <ATen/ops/zeros.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace squares_world {

using image = c2f::image<3, 64, 96>;
using kind  = c2f::detections<2, 6, 20>;
using body  = c2f::small_stages<8, 8, 12, 16>;

template <class Base>
struct small : Base {
  using backbone                   = c2f::pyramid_on<body, c2f::fpn<12>>;
  using box_head                   = c2f::sequential<c2f::flatten, c2f::linear<16>, c2f::relu>;
  static constexpr int more_levels = 0;
  static constexpr std::array<double, 1> anchor_scales{4};
  static constexpr std::int64_t rpn_sample = 32, before_nms = 60, after_nms = 30, before_nms_at_inference = 60, after_nms_at_inference = 30,
                                crop = 3, box_sample = 16;
};
struct faster : small<c2f::systems::faster_rcnn> {};
struct cascade : small<c2f::systems::cascade_rcnn> {};
struct progressive : cascade {
  using source   = c2f::source::sample;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
};
struct both : faster {
  using backbone = c2f::systems::recursive_pyramid<c2f::small_stages_with<c2f::block_layers, c2f::switchable<>, 8, 8, 12, 16>, 12>;
};
struct retina : c2f::systems::retina_net {
  using backbone = faster::backbone;
  static constexpr std::array<double, 1> anchor_scales{4};
  static constexpr std::size_t tower = 1;
};
using one_stage = c2f::systems::one_stage_detector<kind, image, retina>;
static_assert(c2f::model<one_stage>);
template <class With>
using detector = c2f::systems::region_detector<kind, image, With>;
static_assert(c2f::model<detector<faster>> && c2f::model<detector<cascade>> && c2f::model<detector<progressive>> &&
              c2f::model<detector<both>>);

// Bright squares (class 0) and dark ones (class 1) on grey.
struct squares {
  using image                      = squares_world::image;
  using truth_value                = float;
  static constexpr auto truth_dims = kind::truth_dims<image>;
  std::int64_t count;
  std::uint64_t seed;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "squares"; }
  static constexpr std::int64_t class_count() { return 2; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* into) const {
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    for (int i = 0; i < 64 * 96 * 3; ++i) pixels[i] = static_cast<float>(.2 * draw.uniform() - .1);
    std::vector<std::array<float, 6>> found;
    for (std::uint32_t i = draw.below(4); i-- > 0;) {  // of none to three
      std::int64_t const label = draw.below(2), side = 12 + draw.below(16), y = draw.below(static_cast<std::uint32_t>(64 - side)),
                         x = draw.below(static_cast<std::uint32_t>(96 - side));
      for (std::int64_t r = y; r < y + side; ++r)
        for (std::int64_t c = x; c < x + side; ++c)
          for (int k = 0; k < 3; ++k) pixels[(r * 96 + c) * 3 + k] += label == 0 ? 1.f : -1.f;
      auto const part = [](std::int64_t n, std::int64_t of) { return static_cast<float>(n) / static_cast<float>(of); };
      found.push_back({static_cast<float>(label), part(2 * x + side, 192), part(2 * y + side, 128), part(side, 96), part(side, 64), 0});
    }
    c2f::data::write_objects(found, 6, into);
  }
};
struct squares_data {
  squares train{64, 1}, test{24, 2};
};

inline at::Tensor batch_of(std::int64_t n, at::Tensor& truth) {
  squares const from{100, 5};
  at::Tensor images = at::zeros({n, 64, 96, 3});
  truth             = at::zeros({n, 6, 7});
  for (std::int64_t i = 0; i < n; ++i) from.read(i, nullptr, images[i].data_ptr<float>(), truth[i].data_ptr<float>());
  return images.permute({0, 3, 1, 2});
}

}  // namespace squares_world
