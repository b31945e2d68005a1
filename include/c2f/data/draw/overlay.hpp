// c2f/data/draw/overlay.hpp: draws a picture with a predicted label map as a tint and the true one as an outline.
//
//   c2f::data::canvas page{2 * 240, 180};
//   c2f::data::overlay(page, data.test.picture(7), 180, 240, prediction, data.test.labels(7), {.colours = c2f::data::camvid_colours});
//   c2f::data::overlay(page, c2f::data::grey_bytes(c2f::data::slice_of(ct, 2, 40)), 512, 512, organ, truth, {.x = 240, .zoom = 4});
//
// Cost: one pass, and a line for each boundary between two labels of the truth. Needs libspng. Errors: input_error for sizes that do not
// match.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/data/draw/canvas.hpp>

namespace c2f::data {

/// The colours of background and organ.
inline constexpr std::array<colour, 2> organ_colours{{{0, 0, 0}, {213, 94, 0}}};
/// The data set's own colours for the 11 classes of CamVid and void.
inline constexpr std::array<colour, 12> camvid_colours{{{128, 128, 128},
                                                        {128, 0, 0},
                                                        {192, 192, 128},
                                                        {128, 64, 128},
                                                        {60, 40, 222},
                                                        {128, 128, 0},
                                                        {192, 128, 128},
                                                        {64, 64, 128},
                                                        {64, 0, 128},
                                                        {64, 64, 0},
                                                        {0, 128, 192},
                                                        {0, 0, 0}}};

/// How overlay draws.
struct overlay_options {
  int x = 0, y = 0, zoom = 1;                       ///< top left corner on the canvas; canvas pixels a picture pixel
  std::span<colour const> colours = organ_colours;  ///< by label; a label beyond the list is not tinted
  int bare                        = 0;              ///< a label that is not tinted, such as the background; -1: none
  float tint                      = 0.45f;          ///< opacity of the tint, 0...1
  colour outline                  = {0, 255, 128};  ///< of the truth
};

/// Maps 0...1 to 0...255, rounded and clamped.
[[nodiscard]] inline std::vector<std::uint8_t> grey_bytes(std::span<float const> values) {
  std::vector<std::uint8_t> bytes(values.size());
  std::transform(values.begin(), values.end(), bytes.begin(),
                 [](float value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f); });
  return bytes;
}

/// Draws a picture of height x width pixels, rows from the top, one grey byte or three RGB bytes a pixel. `prediction` and `truth` have one
/// label a pixel: the first tints the picture, the second is outlined at label boundaries; either may be empty.
inline void overlay(canvas& page, std::span<std::uint8_t const> picture, std::int64_t height, std::int64_t width,
                    std::span<std::uint8_t const> prediction, std::span<std::uint8_t const> truth, overlay_options const& options = {}) {
  auto const pixels = static_cast<std::size_t>(std::max<std::int64_t>(height, 0) * std::max<std::int64_t>(width, 0));
  auto const fits   = [&](std::size_t size) { return size == 0 || size == pixels; };
  if (pixels == 0 || (picture.size() != pixels && picture.size() != 3 * pixels) || !fits(prediction.size()) || !fits(truth.size()))
    throw input_error("a picture of " + std::to_string(picture.size()) + " bytes with " + std::to_string(prediction.size()) + " and " +
                      std::to_string(truth.size()) + " labels is not one of " + std::to_string(width) + " x " + std::to_string(height) +
                      " pixels; pass 1 or 3 bytes and a label for each pixel");
  std::size_t const channels = picture.size() / pixels;
  std::vector<std::uint8_t> rgb(3 * pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    bool const tinted = !prediction.empty() && prediction[i] != options.bare && prediction[i] < options.colours.size();
    colour const over = tinted ? options.colours[prediction[i]] : colour{};
    std::array const bytes{over.red, over.green, over.blue};
    for (std::size_t c = 0; c < 3; ++c) {
      auto const under = static_cast<float>(picture[channels == 1 ? i : 3 * i + c]), opacity = tinted ? options.tint : 0.0f;
      rgb[3 * i + c] = static_cast<std::uint8_t>(under + opacity * (static_cast<float>(bytes[c]) - under) + 0.5f);
    }
  }
  page.blit(rgb, static_cast<int>(width), static_cast<int>(height), options.x, options.y, options.zoom);

  if (truth.empty()) return;
  // Boundaries run between pixels; (0, 0) of a canvas is the centre of its first pixel.
  auto const edge_x = [&](std::int64_t column) { return options.x + static_cast<double>(column * options.zoom) - 0.5; };
  auto const edge_y = [&](std::int64_t row) { return options.y + static_cast<double>(row * options.zoom) - 0.5; };
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto const label = [&](std::int64_t column, std::int64_t row) { return truth[static_cast<std::size_t>(row * width + column)]; };
      if (x + 1 < width && label(x, y) != label(x + 1, y))
        page.line(edge_x(x + 1), edge_y(y), edge_x(x + 1), edge_y(y + 1), options.outline);
      if (y + 1 < height && label(x, y) != label(x, y + 1))
        page.line(edge_x(x), edge_y(y + 1), edge_x(x + 1), edge_y(y + 1), options.outline);
    }
}

}  // namespace c2f::data
