// c2f/data/draw/plot.hpp: line plots, such as learning curves.
//
//   c2f::data::plot curves{.title = "CIFAR-100, ResNet-20", .x_label = "epoch", .y_label = "test accuracy, %"};
//   curves.lines.push_back({.name = "fine", .tint = c2f::data::palette[0], .xs = epochs, .ys = accuracy});
//   curves.draw().write_png("curves.png");
//
// Axes fit the data; the y axis ends at round values. The legend is to the right, in the order of the lines; a name that would take more
// than a third of the width is cut. A value that is not finite interrupts its line. A line of one point is drawn as a dot.
//
// Cost: a few milliseconds, and the canvas. Needs libspng. Errors: input_error for a line with different numbers of xs and ys.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/data/draw/canvas.hpp>

namespace c2f::data {

/// Eight colours that are distinguishable with colour blindness (after Okabe and Ito).
inline constexpr std::array<colour, 8> palette{
    {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}, {90, 90, 90}, {170, 150, 0}}};

/// A line of a plot.
struct series {
  std::string name;
  colour tint = palette[0];
  std::vector<double> xs{}, ys{};
  bool dashed = false;
};

/// The tick marks of an axis: about `wanted` of them, at multiples of `step`, which is 1, 2 or 5 times a power of ten.
struct ticks {
  double low, high, step;

  ticks(double from, double to, int wanted) : low(from), high(to) {
    double const least = 1e-9 * std::max({std::abs(low), std::abs(high), 1e-90});
    if (!(high - low > least)) {  // a single value: widen the range
      double const room = low == 0 ? 1 : std::abs(low) / 10;
      low -= room, high += room;
    }
    double const rough = (high - low) / std::max(wanted, 1), power = std::pow(10.0, std::floor(std::log10(rough))), rest = rough / power;
    step = power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
  }

  /// Moves the ends of the axis outwards to the next round values.
  void round_out() {
    low  = std::floor(low / step + 1e-6) * step;
    high = std::ceil(high / step - 1e-6) * step;
  }

  /// The round values from low to high.
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> found;
    double const first = std::ceil(low / step - 1e-6), last = std::floor(high / step + 1e-6);
    for (double k = first; k <= last; ++k) found.push_back(k * step);
    return found;
  }

  /// The label of a value: with as many digits as the step has.
  [[nodiscard]] std::string label(double value) const {
    char text[64];
    int const digits = static_cast<int>(std::clamp(-std::floor(std::log10(step) + 1e-9), 0.0, 17.0));
    if (std::abs(value) < step / 2) value = 0;  // never "-0"
    bool const plain = digits <= 6 && std::max(std::abs(low), std::abs(high)) < 1e6;
    std::snprintf(text, sizeof text, plain ? "%.*f" : "%.*g", plain ? digits : 6, value);
    return text;
  }
};

/// Lines over a common x axis; width and height in pixels.
struct plot {
  std::string title, x_label, y_label;
  std::vector<series> lines{};
  int width = 960, height = 540;

  [[nodiscard]] canvas draw() const;
};

namespace detail {

/// Draws one plot: holds the canvas, the layout and both axes.
class plotter {
 public:
  explicit plotter(plot const& what)
      : what_(what),
        page_(what.width, what.height),
        x_(range(what, &series::xs, what.width / 110)),
        y_(range(what, &series::ys, what.height / 70)) {
    y_.round_out();
    double labels = 0, names = 0;
    for (double const value : y_.values()) labels = std::max(labels, canvas::text_width(y_.label(value), small));
    for (auto const& line : what.lines) names = std::max(names, canvas::text_width(shown(line), small));
    left_   = 24 + labels;
    right_  = what.width - (names > 0 ? names + 76 : 30);
    top_    = (what.title.empty() ? 20 : 52) + (what.y_label.empty() ? 0 : 22);
    bottom_ = what.height - (what.x_label.empty() ? 38 : 62);
  }

  canvas draw() {
    grid();
    words();
    for (auto const& line : what_.lines) curve(line);
    legend();
    return std::move(page_);
  }

 private:
  static constexpr double small = 1.7, large = 2.2;  // sizes of text
  static constexpr colour ink{45, 45, 45}, pale{228, 228, 228}, axis{150, 150, 150};

  /// A line's name in the legend.
  [[nodiscard]] std::string shown(series const& line) const {
    return text::printable(line.name, static_cast<std::size_t>(what_.width / 3 / (font::advance * small)));
  }
  static bool usable(double value) { return std::abs(value) < 1e100; }  // false for NaN
  static bool usable(series const& line, std::size_t i) { return usable(line.xs[i]) && usable(line.ys[i]); }

  static ticks range(plot const& what, std::vector<double> series::* of, int wanted) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (auto const& line : what.lines) {
      if (line.xs.size() != line.ys.size())
        throw input_error("the line '" + line.name + "' of a plot has " + std::to_string(line.xs.size()) + " xs and " +
                          std::to_string(line.ys.size()) + " ys; give as many of both");
      for (std::size_t i = 0; i < line.xs.size(); ++i)
        if (usable(line, i)) low = std::min(low, (line.*of)[i]), high = std::max(high, (line.*of)[i]);
    }
    return low <= high ? ticks(low, high, wanted) : ticks(0, 1, wanted);
  }

  [[nodiscard]] double to_x(double value) const { return left_ + (value - x_.low) / (x_.high - x_.low) * (right_ - left_); }
  [[nodiscard]] double to_y(double value) const { return bottom_ - (value - y_.low) / (y_.high - y_.low) * (bottom_ - top_); }
  // One-pixel lines are drawn at integer coordinates to be sharp.
  void across(double y, colour tint) {
    page_.rectangle(static_cast<int>(left_), static_cast<int>(y), static_cast<int>(right_ - left_) + 1, 1, tint);
  }
  void down(double x, double length, colour tint) {
    page_.rectangle(static_cast<int>(x), static_cast<int>(bottom_ - length), 1, static_cast<int>(length) + 1, tint);
  }

  void grid() {
    for (double const value : y_.values()) {
      std::string const label = y_.label(value);
      across(to_y(value), pale);
      page_.text(left_ - 10 - canvas::text_width(label, small), to_y(value) - 3.5 * small + 1, label, ink, small);
    }
    for (double const value : x_.values()) {
      std::string const label = x_.label(value);
      down(to_x(value), bottom_ - top_, pale);
      page_.text(to_x(value) - canvas::text_width(label, small) / 2, bottom_ + 10, label, ink, small);
    }
    across(bottom_, axis);
    down(left_, bottom_ - top_, axis);
  }

  void words() {
    page_.text(left_, 18, what_.title, black, large);
    page_.text(left_, top_ - 24, what_.y_label, ink, small);
    page_.text((left_ + right_ - canvas::text_width(what_.x_label, small)) / 2, what_.height - 26, what_.x_label, ink, small);
  }

  void curve(series const& line) {
    std::vector<point> run;  // consecutive finite points
    for (std::size_t i = 0; i <= line.xs.size(); ++i) {
      if (i < line.xs.size() && usable(line, i)) {
        run.push_back({to_x(line.xs[i]), to_y(line.ys[i])});
        continue;
      }
      if (run.size() == 1) page_.line(run[0].x, run[0].y, run[0].x, run[0].y, line.tint, 6);
      stroke(run, line);
      run.clear();
    }
  }

  void stroke(std::vector<point> const& run, series const& line) {
    if (!line.dashed) return page_.polyline(run, line.tint, thickness);
    // One polyline with gaps: points that are not finite interrupt it.
    constexpr point lift{std::numeric_limits<double>::quiet_NaN(), 0};
    std::vector<point> pieces;
    double walked = 0;
    for (std::size_t i = 1; i < run.size(); ++i) {
      point const a = run[i - 1], b = run[i];
      double const length = std::hypot(b.x - a.x, b.y - a.y);
      for (double from = 0; from < length;) {
        double const phase = std::fmod(walked, dash + gap), to = std::min(length, from + (phase < dash ? dash : dash + gap) - phase + 1e-3);
        if (phase < dash)
          for (double const at : {from, to}) pieces.push_back({a.x + (b.x - a.x) * at / length, a.y + (b.y - a.y) * at / length});
        else
          pieces.push_back(lift);
        walked += to - from;
        from = to;
      }
    }
    page_.polyline(pieces, line.tint, thickness);
  }

  void legend() {
    double y = top_ + 8;
    for (auto const& line : what_.lines) {
      if (line.name.empty()) continue;
      stroke({{right_ + 18, y}, {right_ + 46, y}}, line);
      page_.text(right_ + 56, y - 3.5 * small, shown(line), ink, small);
      y += 24;
    }
  }

  static constexpr double thickness = 2, dash = 7, gap = 6;

  plot const& what_;
  canvas page_;
  ticks x_, y_;
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
};

}  // namespace detail

inline canvas plot::draw() const { return detail::plotter(*this).draw(); }

}  // namespace c2f::data
