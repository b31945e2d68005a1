// Targets of panoptic networks, by hand; and what fusion makes of them: the labels again.
#include <c2f/data/panoptic_targets.hpp>
#include <c2f/inference/panoptic_fusion.hpp>

#include <cmath>

#include "catch.hpp"
#include "refusal.hpp"

namespace {
using labels = std::vector<std::int64_t>;
c2f::data::panoptic_target_options const options{.things = {1}, .ignored = 9, .sigma = 1, .small_area = 3};
}  // namespace

TEST_CASE("targets of a map of 2 x 5, by hand") {
  // Two instances of class 1, of three pixels and of one; a crowd of class 1; void; class 0.
  labels const map{1001, 1001, 0, 1002, 9000, 1001, 0, 0, 0, 1000};
  auto const found = c2f::data::targets_of(map, 2, 5, options);
  REQUIRE(found.classes == labels{1, 1, 0, 1, 9, 1, 0, 0, 0, 1});
  REQUIRE(found.class_weights == std::vector<float>{1, 1, 1, 3, 1, 1, 1, 1, 1, 1});
  REQUIRE(found.centre_weights == std::vector<float>{1, 1, 1, 1, 0, 1, 1, 1, 1, 0});
  REQUIRE(found.offset_weights == std::vector<float>{1, 1, 0, 1, 0, 1, 0, 0, 0, 0});
  // The mean of (0, 0), (0, 1) and (1, 0) is (1/3, 1/3), rounded (0, 0).
  REQUIRE(found.offsets == std::vector<float>{0, 0, 0, 0, 0, -1, 0, 0, 0, 0, /*x*/ 0, -1, 0, 0, 0, 0, 0, 0, 0, 0});
  REQUIRE(found.heat[0] == 1);
  REQUIRE(found.heat[3] == 1);
  REQUIRE(found.heat[1] == Approx(std::exp(-.5)));
  REQUIRE(found.heat[2] == Approx(std::exp(-.5)));  // the nearer of the two
  REQUIRE(found.heat[6] == Approx(std::exp(-1.)));
  REQUIRE(found.heat[9] == Approx(std::exp(-1.)));
  // Half to even: pixels 0 and 1 have their centre at 0, pixels 1 and 2 at 2.
  REQUIRE(c2f::data::targets_of(labels{1001, 1001, 0, 0}, 1, 4, options).offsets[5] == -1);
  REQUIRE(c2f::data::targets_of(labels{0, 1001, 1001, 0}, 1, 4, options).offsets[5] == 1);
  // A Gaussian ends at 3 sigma + 1 pixels.
  auto const far = c2f::data::targets_of(labels{1001, 0, 0, 0, 0, 0}, 1, 6, options);
  REQUIRE((far.heat[4] > 0 && far.heat[5] == 0));
}

TEST_CASE("offsets of the next frame go to the centres of this one") {
  labels const now{1001, 1001, 1001, 0, 1002, 0}, next{0, 1001, 1001, 1001, 1003, 1002};
  auto const found = c2f::data::next_offsets_of(c2f::data::targets_of(now, 1, 6, options), next, 1, 6);
  REQUIRE(found.offsets == std::vector<float>{0, 0, 0, 0, 0, 0, /*x*/ 0, 0, -1, -2, 0, -1});
  REQUIRE(found.weights == std::vector<float>{0, 0, 1, 1, 0, 1});  // 1003 is new
}

TEST_CASE("fusing true targets gives the labels") {
  std::int64_t const height = 40, width = 60;
  labels map(static_cast<std::size_t>(height * width));
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto& label = map[static_cast<std::size_t>(y * width + x)];
      if (y >= 5 && y < 20 && x >= 4 && x < 16) label = 1001;
      if (y >= 5 && y < 15 && x >= 16 && x < 40) label = 1002;
      if (y >= 25 && x >= 30) label = 1003;
    }
  auto const targets = c2f::data::targets_of(map, height, width, options);
  auto const found   = c2f::panoptic::fused({targets.classes, targets.heat, targets.offsets, height, width},
                                            {.things = {1}, .stuff_area = 100, .window = 5});
  REQUIRE(found == map);
}

TEST_CASE("wrong label maps have no targets") {
  using tests::refusal;
  using tests::require_message;
  require_message(refusal([] { (void)c2f::data::targets_of(labels(5), 2, 3, options); }), {"2 x 3 pixels has 5 labels"});
  require_message(refusal([] { (void)c2f::data::targets_of(labels{0, -2}, 1, 2, options); }), {"the label -2"});
  for (auto const& [divisor, sigma] : {std::pair{0, 8}, {1000, 0}, {-1000, 8}, {1000, -1}})
    require_message(
        refusal([&, d = divisor, s = sigma] { (void)c2f::data::targets_of(labels{0, 1}, 1, 2, {.things = {}, .divisor = d, .sigma = s}); }),
        {"the divisor " + std::to_string(divisor) + " and the sigma " + std::to_string(sigma), "1 or more"});
  require_message(refusal([] { (void)c2f::data::next_offsets_of(c2f::data::targets_of(labels(4), 2, 2, options), labels(6), 2, 2); }),
                  {"2 x 2 pixels has 6 labels"});
}
