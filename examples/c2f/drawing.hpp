// Pictures with boxes, masks and names, for contact sheets and predictions.
#pragma once

#include "c2f/layout.hpp"

#include <c2f/core/text.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/draw/overlay.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace tool {

/// How thick a box on a picture is, how large its words are, and how high a row of them is: they grow with the picture.
struct strokes {
  explicit strokes(c2f::data::canvas const& page) : thick(std::max(2, std::min(page.width(), page.height()) / 250)) {}
  int thick;
  double size = std::max(1.5, thick * .8);
  int high    = static_cast<int>(10 * size);
};
/// Words on a ground of their own.
inline void draw_words(c2f::data::canvas& page, int x, int top, std::string const& words, c2f::data::colour tint) {
  strokes const by(page);
  page.rectangle(x, top, static_cast<int>(c2f::data::canvas::text_width(words, by.size)) + 6, by.high, tint);
  page.text(x + 3, top + 1.5 * by.size, words, c2f::data::white, by.size);
}
/// A box on a picture, with words above it.
inline void draw_box(c2f::data::canvas& page, c2f::metrics::box const& where, c2f::data::colour tint, std::string const& words,
                     int shift_x = 0, int shift_y = 0) {
  strokes const by(page);
  auto const x = shift_x + static_cast<int>(where.x0 + .5), y = shift_y + static_cast<int>(where.y0 + .5);
  page.frame(x, y, std::max(1, static_cast<int>(where.width() + .5)), std::max(1, static_cast<int>(where.height() + .5)), tint, by.thick);
  if (words.empty()) return;
  draw_words(page, x, y >= by.high ? y - by.high : y, words, tint);
}

/// Labels as a tint over RGB bytes; 255 is not tinted.
inline void tint_labels(std::vector<std::uint8_t>& rgb, std::vector<std::uint8_t> const& labels,
                        std::vector<c2f::data::colour> const& colours, float opacity = .5f) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 255) continue;
    c2f::data::colour const over = colour_of(labels[i], colours);
    std::uint8_t const bytes[]{over.red, over.green, over.blue};
    for (std::size_t c = 0; c < 3; ++c) {
      auto const under = static_cast<float>(rgb[3 * i + c]);
      rgb[3 * i + c]   = static_cast<std::uint8_t>(under + opacity * (static_cast<float>(bytes[c]) - under) + .5f);
    }
  }
}

/// The colours of classes: those of the palette's bytes, or separate ones.
inline std::vector<c2f::data::colour> class_colours(std::vector<c2f::data::colour> const& palette, std::vector<std::uint8_t> const& values,
                                                    std::size_t classes) {
  std::vector<c2f::data::colour> made;
  for (std::size_t k = 0; k < classes; ++k) made.push_back(colour_of(k < values.size() ? values[k] : k, palette));
  return made;
}

}  // namespace tool
