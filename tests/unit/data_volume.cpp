// Windows, percentiles, means, thresholds and connected components of small volumes, against hand-computed values and naive definitions.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <c2f/core/random.hpp>
#include <c2f/data/volumes/components.hpp>
#include <c2f/data/volumes/volume.hpp>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using namespace c2f::data;

volume<float> line(std::vector<float> values) {
  volume<float> v({static_cast<std::int64_t>(values.size()), 1, 1});
  v.values = std::move(values);
  return v;
}

// Components by relabelling neighbours until nothing changes: slow, and independent of the flood fill under test.
std::vector<std::int64_t> naive_labels(volume<std::uint8_t> const& mask) {
  std::vector<std::int64_t> label(mask.values.size(), -1);
  for (std::size_t i = 0; i < label.size(); ++i)
    if (mask.values[i] != 0) label[i] = static_cast<std::int64_t>(i);
  for (bool changed = true; changed;) {
    changed          = false;
    auto const merge = [&](std::size_t a, std::size_t b) {
      if (label[a] < 0 || label[b] < 0 || label[a] == label[b]) return;
      label[a] = label[b] = std::min(label[a], label[b]);
      changed             = true;
    };
    for (std::int64_t z = 0; z < mask.dims[2]; ++z)
      for (std::int64_t y = 0; y < mask.dims[1]; ++y)
        for (std::int64_t x = 0; x < mask.dims[0]; ++x) {
          if (x > 0) merge(mask.index(x, y, z), mask.index(x - 1, y, z));
          if (y > 0) merge(mask.index(x, y, z), mask.index(x, y - 1, z));
          if (z > 0) merge(mask.index(x, y, z), mask.index(x, y, z - 1));
        }
  }
  return label;
}

}  // namespace

TEST_CASE("windowed: RSTN's window of Hounsfield units") {
  REQUIRE(windowed(line({-1000, -100, -15, 70, 240, 3000}), -100, 240).values == std::vector<float>{0, 0, .25f, .5f, 1, 1});
  REQUIRE_THROWS_AS(windowed(line({1}), 3, 3), c2f::input_error);
  REQUIRE_THROWS_AS(windowed(line({1}), 4, 3), c2f::input_error);
}

TEST_CASE("percentiles are NumPy's") {
  // np.percentile([7, 1, 3, 9, 5], [0, 25, 30, 100]) = 1, 3, 3.4, 9: position .3 * 4 = 1.2 is between 3 and 5.
  auto const v = line({7, 1, 3, 9, 5});
  REQUIRE(percentiles(v, 0, 100) == std::array<float, 2>{1, 9});
  REQUIRE(percentiles(v, 25, 30) == std::array<float, 2>{3, 3.4f});
  REQUIRE(percentiles(line({2}), .5, 99.5) == std::array<float, 2>{2, 2});
  REQUIRE_THROWS_AS(percentiles(line({}), 0, 1), c2f::input_error);
  REQUIRE_THROWS_AS(percentiles(v, 60, 50), c2f::input_error);
}

TEST_CASE("mean_of and at_least: a vote of three planes") {
  auto const mean = mean_of({line({1, 0, .5f}), line({1, 1, .25f}), line({1, .5f, 0})});
  REQUIRE(mean.values == std::vector<float>{1, .5f, .25f});
  REQUIRE(at_least(mean, .5f).values == std::vector<std::uint8_t>{1, 1, 0});
  REQUIRE_THROWS_AS(mean_of({}), c2f::input_error);
  REQUIRE_THROWS_AS(mean_of({line({1}), line({1, 2})}), c2f::input_error);
}

TEST_CASE("component_sizes and keep_large_components agree with relabelling") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, 0};
    auto const side = [&] { return 1 + static_cast<std::int64_t>(draw.below(7)); };
    volume<std::uint8_t> mask({side(), side(), side()});
    for (auto& value : mask.values) value = draw.uniform() < .3;
    auto const label = naive_labels(mask);
    std::vector<std::int64_t> wanted;
    for (std::size_t i = 0; i < label.size(); ++i)
      if (label[i] == static_cast<std::int64_t>(i)) wanted.push_back(std::count(label.begin(), label.end(), label[i]));
    std::sort(wanted.begin(), wanted.end(), std::greater<>{});
    CAPTURE(seed);
    REQUIRE(component_sizes(mask) == wanted);

    auto const inside = std::count(mask.values.begin(), mask.values.end(), 1);
    auto const kept   = keep_large_components(mask, .5);
    for (std::size_t i = 0; i < label.size(); ++i) {
      bool const large = label[i] >= 0 && 2 * std::count(label.begin(), label.end(), label[i]) >= wanted.front();
      REQUIRE(kept.values[i] == (2 * inside >= mask.size() ? mask.values[i] : large));
    }
  }
}

TEST_CASE("keep_large_components: a fraction of 1 keeps the largest ones; a mask of more than half the volume is unchanged") {
  volume<std::uint8_t> mask({11, 1, 1});
  mask.values = {1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0};
  REQUIRE(keep_large_components(mask, 1.0).values == std::vector<std::uint8_t>{1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0});
  REQUIRE(keep_large_components(mask, 0.5).values == mask.values);
  mask.values = {1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0};  // 6 of 11
  REQUIRE(keep_large_components(mask, 1.0).values == mask.values);
  mask.values.assign(11, 0);
  REQUIRE(keep_large_components(mask).values == mask.values);
  REQUIRE(component_sizes(mask).empty());
}

TEST_CASE("check_same_place: directions, origins and spacings, and what is rounding") {
  volume<float> image({64, 64, 64});
  auto const at = [&](placement const& place) {
    return tests::refusal([&] { check_same_place(volume<std::uint8_t>(image.dims, place), "'label'", image, "'image'"); });
  };
  auto const refused = [&](placement const& place, std::vector<std::string> const& parts) { tests::require_message(at(place), parts); };
  image.place.affine = {{{2, 0, 0, -63}, {0, 2, 0, -63}, {0, 0, 3, 10}}};
  REQUIRE(at(image.place).empty());
  // Mirrored along x about the same middle: as large, in another direction. The corners of x change places, 126 mm apart.
  placement other    = image.place;
  other.affine[0][0] = -2, other.affine[0][3] = 63;
  refused(other, {"'label' lies elsewhere than 'image'", "[-4 0 0 126; 0 0 0 0; 0 0 0 0]", "moves a corner by 126 mm",
                  "more than the 0.2 mm of rounding"});
  // diag(-1, -1, 1) against the identity.
  volume<float> plain({5, 6, 7});
  volume<std::uint8_t> turned({5, 6, 7});
  turned.place.affine = {{{-1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, 1, 0}}};
  tests::require_message(tests::refusal([&] { check_same_place(turned, "a", plain, "b"); }), {"[-2 0 0 0; 0 -2 0 0; 0 0 0 0]"});
  // Two axes exchanged.
  other = image.place, std::swap(other.affine[0], other.affine[1]);
  refused(other, {"[-2 2 0 0; 2 -2 0 0; 0 0 0 0]"});
  // The origin: up to a tenth of a voxel's shortest edge, 0.2 mm.
  for (double const shift : {0.1999, -0.1999}) {
    other = image.place, other.affine[2][3] += static_cast<float>(shift);
    REQUIRE(at(other).empty());
  }
  other = image.place, other.affine[2][3] += 0.21f;
  refused(other, {"moves a corner by 0.21"});
  // The spacing: 63 steps of 0.003 mm are tolerated, of 0.0033 they are not.
  other = image.place, other.affine[1][1] += 0.003f;
  REQUIRE(at(other).empty());
  other = image.place, other.affine[1][1] += 0.0033f;
  refused(other, {"[0 0 0 0; 0 0.00329995 0 0; 0 0 0 0]", "moves a corner by 0.2078"});
  // The same error of a direction is rounding in a small grid and not in a large one.
  volume<float> small({3, 3, 3}), large({600, 3, 3});
  volume<std::uint8_t> small_label({3, 3, 3}), large_label({600, 3, 3});
  small_label.place.affine[1][0] = large_label.place.affine[1][0] = 0.001f;
  REQUIRE(tests::refusal([&] { check_same_place(small_label, "a", small, "b"); }).empty());
  tests::require_message(tests::refusal([&] { check_same_place(large_label, "a", large, "b"); }), {"by 0.599"});
  // A matrix that is not finite is in no place.
  other = image.place, other.affine[1][2] = std::nanf("");
  refused(other, {"lies elsewhere", "0 0 nan 0"});
  // Sizes, and volumes that are averaged.
  tests::require_message(tests::refusal([&] { check_same_place(volume<float>({5, 6, 8}), "a", plain, "b"); }),
                         {"a has 5 x 6 x 8 voxels and b 5 x 6 x 7"});
  volume<float> moved        = plain;
  moved.place.affine[0][3]   = 1;
  std::string const of_means = tests::refusal([&] { static_cast<void>(mean_of({plain, plain, moved})); });
  tests::require_message(of_means, {"volume 2 of a mean lies elsewhere than volume 0", "[0 0 0 1; "});
}

TEST_CASE("numbers from files: what is rounding, and how they are printed") {
  using detail::text_of, detail::without_rounding;
  for (double const value : {0.9999999, 1.0000001, 0.9991, 1.0009}) REQUIRE(without_rounding(value) == 1);
  for (double const value : {0.9989, 1.0011, 0.5, -1.5, 1e300}) REQUIRE(without_rounding(value) == value);
  REQUIRE(without_rounding(-2.9999999) == -3);
  REQUIRE(std::isnan(without_rounding(std::nan(""))));
  REQUIRE(std::isinf(without_rounding(-INFINITY)));
  REQUIRE(text_of(0.9999999) == "0.9999999");
  REQUIRE(text_of(96.0000031) == "96.0000031");
  REQUIRE(text_of(96.0) == "96");
  REQUIRE(text_of(0.1f) == "0.1");
  REQUIRE(text_of(1e-7) == "1e-07");
  volume<float> const v({1, 1, 1});
  tests::require_message(tests::refusal([&] { static_cast<void>(windowed(v, 0.12345679f, 0.12345678f)); }),
                         {"from 0.12345679 to 0.12345678"});
  tests::require_message(tests::refusal([&] { static_cast<void>(percentiles(v, 1e-9, -1e-9)); }), {"1e-09 and -1e-09"});
}
