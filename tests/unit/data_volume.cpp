// Windows, percentiles, means, thresholds and connected components of small volumes, against hand-computed values and naive definitions.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include <c2f/core/random.hpp>
#include <c2f/data/volumes/components.hpp>
#include <c2f/data/volumes/volume.hpp>

#include "catch.hpp"

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
