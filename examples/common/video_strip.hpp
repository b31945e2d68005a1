// Pictures of panoptic videos: frames side by side, with rows of labels in colours that an object keeps, and of depth.
#pragma once

#include <c2f/data/draw/canvas.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace program {

/// RGB bytes of labels: stuff in greys by its class, an instance in a bright colour by its label.
inline std::vector<std::uint8_t> colours_of(std::vector<std::int64_t> const& labels, std::int64_t divisor) {
  std::vector<std::uint8_t> rgb;
  for (std::int64_t const label : labels) {
    if (label % divisor == 0) {
      auto const grey = static_cast<std::uint8_t>(60 + 45 * (label / divisor % 5));
      rgb.insert(rgb.end(), 3, grey);
      continue;
    }
    // Hues a golden section apart are far from each other.
    double const hue = std::fmod(static_cast<double>(label % divisor) * .618034 + static_cast<double>(label / divisor) * .27, 1) * 6;
    for (double const shift : {0., 4., 2.})
      rgb.push_back(static_cast<std::uint8_t>(255 * std::clamp(std::abs(std::fmod(hue + shift, 6) - 3) - 1, 0., 1.) * .85 + 30));
  }
  return rgb;
}

/// RGB bytes of depths: near is bright, by the logarithm; unknown is blue.
inline std::vector<std::uint8_t> greys_of(std::vector<float> const& depth, double nearest, double farthest) {
  std::vector<std::uint8_t> rgb;
  for (float const each : depth) {
    double const place = std::log(std::max(1e-3f, each) / nearest) / std::log(farthest / nearest);
    auto const grey    = static_cast<std::uint8_t>(255 * (1 - std::clamp(place, 0., 1.)));
    rgb.insert(rgb.end(), 2, each > 0 ? grey : std::uint8_t{30});
    rgb.push_back(each > 0 ? grey : std::uint8_t{110});
  }
  return rgb;
}

/// How much a page of an animation enlarges a picture, and how wide it is with `count` of them beside each other.
inline constexpr int page_gap = 4;
inline std::int64_t page_zoom(std::int64_t width) { return std::max<std::int64_t>(1, 240 / width); }
inline std::int64_t page_width(std::int64_t count, std::int64_t width) { return count * (width * page_zoom(width) + page_gap) - page_gap; }
/// Pictures of one size beside each other, small ones enlarged: a page of an animation.
inline c2f::data::canvas beside(std::vector<std::vector<std::uint8_t>> const& pictures, int height, int width) {
  auto const zoom = static_cast<int>(page_zoom(width));
  c2f::data::canvas page(static_cast<int>(page_width(std::ssize(pictures), width)), height * zoom);
  int x = 0;
  for (auto const& picture : pictures) page.blit(picture, width, height, x, 0, zoom), x += width * zoom + page_gap;
  return page;
}

/// Rows of pictures of one size, with a word beside each row.
struct strip {
  struct row {
    std::string word;
    std::vector<std::vector<std::uint8_t>> pictures;
  };
  int height, width, zoom = 3;
  std::vector<row> rows{};

  void write(std::filesystem::path const& file, std::string const& title) const {
    constexpr int left = 120, top = 40, gap = 4;
    std::size_t most = 0;
    for (auto const& each : rows) most = std::max(most, each.pictures.size());
    c2f::data::canvas page(left + static_cast<int>(most) * (width * zoom + gap),
                           top + static_cast<int>(rows.size()) * (height * zoom + gap));
    page.text(8, 10, title, {40, 40, 40}, 2);
    int y = top;
    for (auto const& each : rows) {
      page.text(8, y + 8, each.word, {40, 40, 40}, 1.5);
      int x = left;
      for (auto const& picture : each.pictures) page.blit(picture, width, height, x, y, zoom), x += width * zoom + gap;
      y += height * zoom + gap;
    }
    page.write_png(file);
  }
};

}  // namespace program
