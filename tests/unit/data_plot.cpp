// The plot: round numbers on the axes, and lines in their colours, for any data.
#include <cmath>
#include <limits>

#include <c2f/data/draw/plot.hpp>

#include "catch.hpp"

namespace {

using namespace c2f::data;

std::vector<std::string> labels(ticks const& t) {
  std::vector<std::string> all;
  for (double const value : t.values()) all.push_back(t.label(value));
  return all;
}

int count(canvas const& c, colour tint) {
  int n = 0;
  for (int y = 0; y < c.height(); ++y)
    for (int x = 0; x < c.width(); ++x) n += c.at(x, y) == tint;
  return n;
}

using strings = std::vector<std::string>;

}  // namespace

TEST_CASE("ticks are round and are written with the digits they need") {
  REQUIRE(labels({0, 1, 5}) == strings{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  REQUIRE(labels({0, 100, 5}) == strings{"0", "20", "40", "60", "80", "100"});
  REQUIRE(labels({1, 164, 8}) == strings{"20", "40", "60", "80", "100", "120", "140", "160"});
  REQUIRE(labels({-1, 1, 4}) == strings{"-1.0", "-0.5", "0.0", "0.5", "1.0"});
  REQUIRE(labels({0.012, 0.031, 4}) == strings{"0.015", "0.020", "0.025", "0.030"});
  REQUIRE(labels({0, 3e7, 3}) == strings{"0", "1e+07", "2e+07", "3e+07"});
  REQUIRE(labels({3, 3, 4}).size() >= 3);  // a range around a single value
  REQUIRE(labels({0, 0, 4}) == strings{"-1.0", "-0.5", "0.0", "0.5", "1.0"});
}

TEST_CASE("ticks are inside their range and few, for any range") {
  for (double const low : {-1e9, -3.7, 0.0, 1e-12, 0.1, 42.0, 9.9e8})
    for (double const span : {0.0, 1e-30, 1e-7, 0.013, 1.0, 77.0, 1e6})
      for (int const wanted : {0, 1, 4, 10}) {
        ticks t(low, low + span, wanted);
        auto const inside = t.values();
        REQUIRE(inside.size() <= 25);
        for (double const value : inside) REQUIRE((value >= t.low - 1e-5 * t.step && value <= t.high + 1e-5 * t.step));
        double const mantissa = t.step / std::pow(10.0, std::floor(std::log10(t.step) + 1e-9));
        REQUIRE((std::abs(mantissa - 1) < 1e-6 || std::abs(mantissa - 2) < 1e-6 || std::abs(mantissa - 5) < 1e-6));
        t.round_out();
        REQUIRE((t.low <= low + 1e-5 * t.step && t.high >= low + span - 1e-5 * t.step));
        REQUIRE(t.values().size() >= 2);
      }
}

TEST_CASE("a plot shows its lines, solid and dashed") {
  plot p{.title = "title", .x_label = "epoch", .y_label = "loss"};
  p.lines.push_back({.name = "solid", .tint = {255, 0, 0}, .xs = {0, 10}, .ys = {5, 5}});
  p.lines.push_back({.name = "dashed", .tint = {0, 0, 255}, .xs = {0, 10}, .ys = {4, 4}, .dashed = true});
  p.lines.push_back({.name = "dot", .tint = {0, 255, 0}, .xs = {5}, .ys = {4.5}});
  auto const page = p.draw();
  REQUIRE(page.width() == 960);
  REQUIRE(page.height() == 540);
  int const solid = count(page, {255, 0, 0}), dashed = count(page, {0, 0, 255}), dot = count(page, {0, 255, 0});
  REQUIRE(solid > 600);
  REQUIRE(dashed > solid / 4);
  REQUIRE(dashed < solid);
  REQUIRE(dot > 15);
  REQUIRE(dot < 300);
}

TEST_CASE("a plot of nothing, or of values that are not finite, is drawn") {
  double const nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  REQUIRE(plot{}.draw().width() == 960);
  plot p;
  p.lines.push_back({.name = "broken", .tint = {255, 0, 0}, .xs = {0, 1, 2, 3, 4, 5}, .ys = {1, 2, nan, inf, 2, 1e300}});
  p.lines.push_back({.name = "none", .tint = {0, 0, 255}, .xs = {nan}, .ys = {nan}, .dashed = true});
  p.lines.push_back({});
  REQUIRE(count(p.draw(), {255, 0, 0}) > 100);
  p.width = p.height = 40;  // too small for anything
  REQUIRE(p.draw().height() == 40);
}

TEST_CASE("a line needs as many xs as ys") {
  plot p;
  p.lines.push_back({.name = "odd one", .xs = {1, 2}, .ys = {1}});
  try {
    (void)p.draw();
    REQUIRE(false);
  } catch (c2f::input_error const& error) {
    REQUIRE(std::string(error.what()).find("'odd one' of a plot has 2 xs and 1 ys") != std::string::npos);
  }
}
