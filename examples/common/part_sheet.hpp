// A contact sheet of parsed pictures: a row for each occlusion level; true parts in green, detected parts in red, and in orange the object
// box that determined the detector's view.
#pragma once

#include "common/program.hpp"

#include <c2f/data/draw/canvas.hpp>
#include <c2f/metrics/detection.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace program {

/// A picture of side * side RGB bytes with the object's box, true and detected parts, in pixels.
struct parsed_picture {
  std::vector<std::uint8_t> rgb;
  int side;
  c2f::metrics::box object;
  std::vector<c2f::metrics::box> parts, found;
};

struct parsed_row {
  std::string title;
  std::vector<parsed_picture> pictures;
};

inline void write_part_sheet(std::vector<parsed_row> const& rows, std::string const& title, std::filesystem::path const& file) {
  constexpr int zoom = 3, gap = 12, top = 64, words = 24;
  constexpr c2f::data::colour green{0, 200, 90}, orange{250, 160, 0}, red{230, 30, 40}, ink{40, 40, 40};
  std::size_t columns = 1;
  int side            = 1;
  for (auto const& row : rows) {
    columns = std::max(columns, row.pictures.size());
    for (auto const& each : row.pictures) side = std::max(side, each.side);
  }
  int const shown = zoom * side, high = words + shown + gap;
  c2f::data::canvas page(gap + static_cast<int>(columns) * (shown + gap), top + static_cast<int>(rows.size()) * high);
  page.text(gap, 12, title, ink, 2);
  page.text(gap, 38, "true part", green, 2);
  page.text(gap + 132, 38, "found part", red, 2);
  page.text(gap + 276, 38, "predicted box", orange, 2);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    int const y = top + static_cast<int>(r) * high;
    page.text(gap, y, rows[r].title, ink, 2);
    for (std::size_t c = 0; c < rows[r].pictures.size(); ++c) {
      auto const& each = rows[r].pictures[c];
      // Drawn on a canvas of its own, so that boxes are clipped to the picture.
      c2f::data::canvas drawn(zoom * each.side, zoom * each.side);
      drawn.blit(each.rgb, each.side, each.side, 0, 0, zoom);
      auto const frame = [&](c2f::metrics::box const& b, c2f::data::colour tint) {
        auto const pixels = [](double v) { return static_cast<int>(std::clamp(v * zoom + .5, -1e4, 1e4)); };
        drawn.frame(pixels(b.x0), pixels(b.y0), pixels(b.width()), pixels(b.height()), tint, 1);
      };
      frame(each.object, orange);
      for (auto const& b : each.parts) frame(b, green);
      for (auto const& b : each.found) frame(b, red);
      page.blit(drawn.bytes(), drawn.width(), drawn.height(), gap + static_cast<int>(c) * (shown + gap), y + words);
    }
  }
  if (program::first_process()) page.write_png(file);
}

}  // namespace program
