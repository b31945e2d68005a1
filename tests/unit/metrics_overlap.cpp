// Dice and Jaccard from counts, against values worked out by hand.
#include <cstdint>
#include <vector>

#include <c2f/metrics/overlap.hpp>

#include "catch.hpp"

using c2f::metrics::overlap;
using mask = std::vector<std::uint8_t>;

TEST_CASE("overlap counts and divides") {
  overlap score;
  score.add(mask{1, 1, 0, 0, 1}, mask{1, 0, 0, 2, 7});
  REQUIRE(score.inter == 2);
  REQUIRE(score.pred == 3);
  REQUIRE(score.truth == 3);
  REQUIRE(score.dsc() == 4.0 / 6.0);
  REQUIRE(score.jaccard() == 2.0 / 4.0);
  overlap other;
  other.add(mask{0, 1}, std::vector<std::int64_t>{1, 0});
  REQUIRE(other.dsc() == 0.0);
  REQUIRE(other.jaccard() == 0.0);
  score.add(other);
  REQUIRE(score.dsc() == 4.0 / 8.0);
  REQUIRE(score.jaccard() == 2.0 / 6.0);
}

TEST_CASE("overlap: empty masks agree, one empty mask does not, counts above 2^31 are exact") {
  overlap empty;
  REQUIRE(empty.dsc() == 1.0);
  REQUIRE(empty.jaccard() == 1.0);
  empty.add(mask{0, 0}, mask{0, 0});
  REQUIRE(empty.dsc() == 1.0);
  empty.add(mask{0, 0}, mask{0, 1});
  REQUIRE(empty.dsc() == 0.0);
  overlap const large{3000000000, 4000000000, 4000000000};
  REQUIRE(large.dsc() == .75);
  REQUIRE(large.jaccard() == .6);
}

TEST_CASE("overlap refuses masks of different sizes") {
  overlap score;
  REQUIRE_THROWS_AS(score.add(mask{1}, mask{1, 0}), c2f::input_error);
}
