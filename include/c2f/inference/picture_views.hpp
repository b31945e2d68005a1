// c2f/inference/picture_views.hpp: one answer from several views of a picture: sliding windows and test-time augmentation.
//
//   c2f::view_options const how{.flip = true, .scales = {1, 1.25}};        // four views: both scales, as they are and mirrored
//   c2f::view_options const large{.windows = 1};                           // windows over the picture's own pixels, of dense kinds
//   auto const views = c2f::views_of(how, 480, 640, c2f::data::resizing::letterbox, 128, 128);
//   auto const seen  = c2f::data::fitted(photo, views[0].place, 128, 128); // what the network sees of a photo of 480 x 640 pixels
//
// loaded.predict(photo, how) of a model folder (model_folder.hpp) does all of it.
//
// A view is a place: an affine map of both axes from the picture's pixels to those of the network's canvas, mirrored or not. Sliding windows
// and test-time augmentation are lists of places, and the answer is a mean over them: of the probabilities of classes; of boxes, brought
// back into the picture and weighted by their probability; of the probabilities of each pixel. A window counts by a hat, 1 in its middle and
// falling linearly to its borders along both axes, so that there are no seams; any other view counts 1 where it shows the picture.
//
// Windows are placed evenly, from border to border, at least `overlap` of a side over each other. A picture that is smaller than a window is
// padded. The order of the views, and with it every rounding, depends on the sizes alone.
//
// Costs: a pass for each view. mean_over_views keeps the maps of the views that the current row of the picture is in: two rows of windows,
// whatever the height of the picture, and all other views. Errors: input_error for no scale, a scale or an overlap out of range.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <c2f/core/errors.hpp>
#include <c2f/data/fitted_picture.hpp>

namespace c2f {

/// Which views of a picture are answered for.
struct view_options {
  bool flip = false;              ///< also mirrored
  std::vector<double> scales{1};  ///< the picture enlarged by these factors: about the middle of the canvas, or below the windows
  double windows = 0;             ///< pixels of the canvas for a pixel of the picture, 1: its own size; 0: the whole picture on one canvas
  double overlap = .5;            ///< of windows, a fraction of their sides

  /// Whether there is one view, the whole picture.
  [[nodiscard]] bool one() const { return !flip && windows == 0 && scales.size() == 1 && scales.front() == 1; }
  void check() const {
    auto const refuse = [](std::string const& what, double value, char const* range) {
      throw input_error("the views of a picture have " + what + " of " + std::to_string(value) + "; write a number " + range);
    };
    if (scales.empty()) throw input_error("the views of a picture have no scale; write one or more, as in {1}");
    for (double const each : scales)
      if (!(each >= .25 && each <= 4)) refuse("a scale", each, "from 0.25 to 4");
    if (!(windows == 0 || (windows >= 1e-3 && windows <= 16))) refuse("windows with a scale", windows, "from 0.001 to 16, or 0 for none");
    if (!(overlap >= 0 && overlap <= .9)) refuse("an overlap", overlap, "from 0 to 0.9");
  }
};

/// One view: where the picture lies on the canvas, and whether it is a window.
struct picture_view {
  data::picture_place place{};
  bool window = false;
};

namespace detail {

/// Where windows of `side` begin along `size` pixels: whole pixels, evenly from border to border; negative if the window is larger. The last
/// one may reach beyond the border by less than a pixel.
inline std::vector<double> window_begins(double size, double side, double overlap) {
  if (size <= side) return {std::floor((size - side) / 2)};
  double const steps = std::ceil((size - side) / (side * (1 - overlap)) - 1e-9);
  std::vector<double> begins;
  for (double i = 0; i <= steps; ++i) begins.push_back(std::ceil(i * (size - side) / steps - 1e-9));
  return begins;
}
/// The place on the canvas, in its pixels, of the middle of pixel i of `size`.
inline double canvas_place(data::axis const& map, std::int64_t size, std::int64_t i) {
  double const at = static_cast<double>(i) + .5;
  return map.scale * (map.mirrored ? static_cast<double>(size) - at : at) + map.shift;
}

}  // namespace detail

/// The views of a picture of this size, windows in the order of their first rows.
[[nodiscard]] inline std::vector<picture_view> views_of(view_options const& how, std::int64_t height, std::int64_t width,
                                                        data::resizing rule, std::int64_t canvas_height, std::int64_t canvas_width) {
  how.check();
  auto const canvas_h = static_cast<double>(canvas_height), canvas_w = static_cast<double>(canvas_width);
  std::vector<picture_view> views;
  for (double const scale : how.scales) {
    std::vector<picture_view> of_scale;
    if (how.windows == 0) {
      auto place         = data::picture_place::of(rule, height, width, canvas_height, canvas_width);
      auto const enlarge = [&](data::axis& map, double side) {
        map = {.scale = scale * map.scale, .shift = scale * map.shift + (1 - scale) * side / 2};
      };
      if (scale != 1) enlarge(place.across, canvas_w), enlarge(place.down, canvas_h);
      of_scale.push_back({place, false});
    } else {
      double const by = scale * how.windows;
      for (double const top : detail::window_begins(by * static_cast<double>(height), canvas_h, how.overlap))
        for (double const left : detail::window_begins(by * static_cast<double>(width), canvas_w, how.overlap))
          of_scale.push_back({{{.scale = by, .shift = -left}, {.scale = by, .shift = -top}}, true});
    }
    for (auto each : of_scale) {
      views.push_back(each);
      each.place.across.mirrored = true;
      if (how.flip) views.push_back(each);
    }
  }
  auto const first_row = [](picture_view const& each) { return each.window ? -each.place.down.shift / each.place.down.scale : -1e300; };
  std::stable_sort(views.begin(), views.end(), [&](auto const& a, auto const& b) { return first_row(a) < first_row(b); });
  return views;
}

/// The weighted mean of maps over views, row by row of the picture. `maps_of(first, count)` returns the maps of views first, first + 1, ... as
/// [count, K, canvas_height, canvas_width], at most `batch` of them; `row(y, values, weights)` receives sums [K, width] and their weights [width],
/// from the first row on. Maps are interpolated bilinearly between the middles of their pixels.
inline void mean_over_views(std::vector<picture_view> const& views, std::int64_t height, std::int64_t width, std::int64_t canvas_height,
                            std::int64_t canvas_width, std::int64_t batch,
                            std::function<at::Tensor(std::size_t first, std::size_t count)> const& maps_of,
                            std::function<void(std::int64_t y, float const* values, float const* weights)> const& row) {
  constexpr float almost_nothing = 0x1p-20f;  // of a pixel that a view does not show: it counts where no other one shows it
  struct tap {
    std::int64_t to, first, second;
    float weight, counts;
  };
  // The pixels of the picture along an axis that are in a view, and where they lie on the canvas.
  auto const taps_of = [](data::axis const& map, std::int64_t size, std::int64_t canvas, bool window) {
    std::vector<tap> made;
    auto const side = static_cast<double>(canvas);
    for (std::int64_t i = 0; i < size; ++i) {
      double const place = detail::canvas_place(map, size, i);
      if (window && (place < 0 || place > side)) continue;
      double const at    = std::clamp(place - .5, 0.0, side - 1);
      auto const first   = static_cast<std::int64_t>(at);
      double const hat   = 2 * std::min(at + .5, side - at - .5) / side;
      float const counts = window ? static_cast<float>(hat) : place < 0 || place > side ? almost_nothing : 1;
      made.push_back({i, first, std::min(first + 1, canvas - 1), static_cast<float>(at - static_cast<double>(first)), counts});
    }
    return made;
  };
  struct shown {
    at::Tensor maps;
    float const* values;
    std::vector<tap> rows, columns;
    std::size_t next = 0;  // of rows
  };
  std::vector<shown> now;
  std::size_t begun     = 0;
  std::int64_t channels = 0;
  std::vector<float> sums, weights(static_cast<std::size_t>(width)), line(static_cast<std::size_t>(canvas_width));
  // The first row of the view that begins next.
  auto const next_row = [&] {
    if (begun == views.size()) return height;
    auto const rows = taps_of(views[begun].place.down, height, canvas_height, views[begun].window);
    return rows.empty() ? 0 : rows.front().to;
  };
  std::int64_t next = next_row();
  for (std::int64_t y = 0; y < height; ++y) {
    for (; next <= y; next = next_row()) {  // this view begins, and those after it in one batch
      auto const count          = std::min<std::size_t>(static_cast<std::size_t>(batch), views.size() - begun);
      at::Tensor const of_batch = maps_of(begun, count).to(at::kCPU, at::kFloat);
      channels                  = of_batch.size(1);
      sums.resize(static_cast<std::size_t>(channels * width));
      for (std::size_t i = 0; i < count; ++i) {
        picture_view const& view = views[begun + i];
        at::Tensor const maps    = of_batch[static_cast<std::int64_t>(i)].contiguous();
        now.push_back({maps, maps.const_data_ptr<float>(), taps_of(view.place.down, height, canvas_height, view.window),
                       taps_of(view.place.across, width, canvas_width, view.window)});
      }
      begun += count;
    }
    std::fill(sums.begin(), sums.end(), 0.0f);
    std::fill(weights.begin(), weights.end(), 0.0f);
    for (shown& view : now) {
      if (view.next == view.rows.size() || view.rows[view.next].to != y) continue;
      tap const& here = view.rows[view.next++];
      for (tap const& column : view.columns) weights[static_cast<std::size_t>(column.to)] += here.counts * column.counts;
      for (std::int64_t k = 0; k < channels; ++k) {
        float const *upper = view.values + (k * canvas_height + here.first) * canvas_width,
                    *lower = view.values + (k * canvas_height + here.second) * canvas_width;
        float* const to    = sums.data() + k * width;
        for (std::size_t x = 0; x < line.size(); ++x) line[x] = upper[x] + here.weight * (lower[x] - upper[x]);
        for (tap const& column : view.columns) {
          float const a = line[static_cast<std::size_t>(column.first)], b = line[static_cast<std::size_t>(column.second)];
          to[column.to] += here.counts * column.counts * (a + column.weight * (b - a));
        }
      }
    }
    std::erase_if(now, [](shown const& view) { return view.next == view.rows.size(); });
    row(y, sums.data(), weights.data());
  }
}

}  // namespace c2f
