// A sheet of what a network with attention looks at: a row for each picture, with the true box in green and that of the mask in red, the
// mask and the first maps as heat over the picture, and what coarse, fine and joint output say.
#pragma once

#include "common/cascade_sheet.hpp"
#include "common/program.hpp"
#include "common/sample.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/inference/attended_box.hpp>

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace program {

struct attention_sheet {
  std::string title;
  std::vector<std::string> classes;
  double threshold          = 0.5;
  static constexpr int maps = 4, gap = 8, words = 34, top = 44;
  attention_sheet(std::string t, std::vector<std::string> c, double cut) : title(std::move(t)), classes(std::move(c)), threshold(cut) {}

  /// How often a pixel is repeated, so that words fit below a picture.
  [[nodiscard]] static constexpr int zoom_of(std::int64_t side) { return std::max(1, static_cast<int>(200 / side)); }
  [[nodiscard]] std::string name_of(std::int64_t label) const {
    auto const i = static_cast<std::size_t>(label);
    return i < classes.size() ? classes[i].substr(0, 18) : std::to_string(label);
  }
};

/// A picture under a map [h, w] of any size, brought to 0 ... 1.
inline std::vector<std::uint8_t> heated(std::vector<std::uint8_t> const& rgb, at::Tensor const& map, std::int64_t side) {
  at::Tensor values        = c2f::resize_bilinear(map.to(at::kFloat).view({1, 1, map.size(0), map.size(1)}), side, side).contiguous();
  float const* const value = values.const_data_ptr<float>();
  auto const [least, most] = std::minmax_element(value, value + side * side);
  std::vector<std::uint8_t> made(rgb.size());
  for (std::size_t i = 0; i < made.size() / 3; ++i) {
    auto const tint = heat(*most > *least ? (value[i] - *least) / (*most - *least) : 0);
    for (std::size_t c = 0; c < 3; ++c) {
      int const other = c == 0 ? tint.red : c == 1 ? tint.green : tint.blue;
      made[3 * i + c] = static_cast<std::uint8_t>((rgb[3 * i + c] + other) / 2);
    }
  }
  return made;
}

/// Draws a row and returns the box of the mask, if there is one. `rgb`: the picture as the network sees it.
template <class Task>
std::optional<c2f::metrics::box> draw_attention(attention_sheet const& sheet, c2f::data::canvas& page, c2f::stack<Task> const& model,
                                                at::Tensor const& image, std::vector<std::uint8_t> const& rgb, std::string const& said,
                                                int y, std::optional<c2f::metrics::box> const& truth) {
  constexpr int side = static_cast<int>(Task::input::width), zoom = attention_sheet::zoom_of(side), shown = side * zoom;
  constexpr c2f::data::colour ink{40, 40, 40}, green{0, 150, 80}, red{210, 30, 40};
  auto const seen = model(image, c2f::eval);
  std::optional<c2f::metrics::box> found;
  if (at::Tensor const mask = seen.output("mask"); mask.defined())
    found = c2f::attended_box(mask[0][0], {.kernel = 5, .threshold = sheet.threshold});
  int x           = attention_sheet::gap;
  auto const show = [&](std::vector<std::uint8_t> const& bytes, std::string const& first, std::string const& second) {
    page.blit(bytes, side, side, x, y, zoom);
    page.text(x, y + shown + 4, first, ink, 1);
    page.text(x, y + shown + 18, second, ink, 1);
    x += shown + attention_sheet::gap;
  };
  auto const frame = [&](c2f::metrics::box const& b, c2f::data::colour tint) {
    auto const pixel = [&](double value) { return static_cast<int>(value * zoom + .5); };
    page.frame(attention_sheet::gap + pixel(b.x0), y + pixel(b.y0), pixel(b.width()), pixel(b.height()), tint, 2);
  };
  auto const says = [&](char const* stage, at::Tensor const& raw) {
    if (!raw.defined()) return std::string();
    at::Tensor const p = raw.to(at::kFloat).softmax(1)[0];
    char text[96];
    std::snprintf(text, sizeof text, "%s %.0f %% ", stage, 100 * p.max().template item<double>());
    return text + sheet.name_of(p.argmax().template item<std::int64_t>());
  };
  show(rgb, said, seen.fine.defined() ? says("answer", seen.answer) : says("coarse", seen.coarse));
  if (truth) frame(*truth, green);
  if (found) frame(*found, red);
  if (at::Tensor const mask = seen.output("mask"); mask.defined())
    show(heated(rgb, mask[0][0], side), says("coarse", seen.coarse), says("fine", seen.fine));
  if (at::Tensor const maps = seen.output("coarse.attention"); maps.defined())
    for (std::int64_t k = 0; k < std::min<std::int64_t>(attention_sheet::maps, maps.size(1)); ++k)
      show(heated(rgb, maps[0][k], side), "map " + std::to_string(k), "");
  return found;
}
template <class Task>
c2f::data::canvas attention_page(attention_sheet const& sheet, int rows) {
  constexpr int side = static_cast<int>(Task::input::width), shown = side * attention_sheet::zoom_of(side);
  c2f::data::canvas page(attention_sheet::gap + (2 + attention_sheet::maps) * (shown + attention_sheet::gap),
                         attention_sheet::top + rows * (shown + attention_sheet::words + attention_sheet::gap));
  page.text(attention_sheet::gap, 12, sheet.title, {40, 40, 40}, 2);
  return page;
}

/// The true box of a test picture in pixels of the canvas, if it has one.
using box_of_sample = std::function<std::optional<c2f::metrics::box>(std::int64_t id)>;

/// Writes test pictures spread over the split.
template <class Task, class Split>
void write_attention_sheet(attention_sheet const& sheet, c2f::stack<Task> const& model, Split const& test, box_of_sample const& truth_of,
                           std::int64_t rows, std::filesystem::path const& file) {
  constexpr std::int64_t side = Task::input::width;
  at::NoGradGuard const no_gradients;
  auto const samples = spread_samples(test, rows);
  auto page          = attention_page<Task>(sheet, static_cast<int>(samples.size()));
  int y              = attention_sheet::top;
  for (auto const& sample : samples) {
    auto const label = sample.batch.truth[0].template item<std::int64_t>();
    draw_attention(sheet, page, model, sample.batch.images, sample.picture, "true: " + sheet.name_of(label), y,
                   truth_of(sample.batch.ids[0]));
    y += static_cast<int>(side) * attention_sheet::zoom_of(side) + attention_sheet::words + attention_sheet::gap;
  }
  page.write_png(file);
}

/// Classifies a photo, prints a line and writes its row.
template <class Task>
void predict_attention(attention_sheet const& sheet, c2f::stack<Task> const& model, std::filesystem::path const& photo,
                       std::filesystem::path const& file) {
  constexpr std::int64_t side = Task::input::width;
  at::NoGradGuard const no_gradients;
  auto const fitted = c2f::data::fitted(c2f::data::read_picture(photo, c2f::data::exif::apply), c2f::data::resizing::letterbox, side, side);
  at::Tensor image  = at::empty({1, 3, side, side}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  c2f::data::normalise(fitted.rgb, {}, image.mutable_data_ptr<float>());
  auto page            = attention_page<Task>(sheet, 1);
  std::string const of = photo.filename().string();
  auto const found     = draw_attention(sheet, page, model, image, fitted.rgb, of.substr(0, 24), attention_sheet::top, {});
  page.write_png(file);
  at::Tensor const p = model(image, c2f::eval).answer.softmax(1)[0];
  std::printf("%s: %s, %.1f %%", c2f::text::printable(of).c_str(), sheet.name_of(p.argmax().template item<std::int64_t>()).c_str(),
              100 * p.max().template item<double>());
  if (found) {
    auto const b = fitted.place.back(*found);
    std::printf(", looked at %.0f, %.0f to %.0f, %.0f", std::max(b.x0, 0.0), std::max(b.y0, 0.0),
                std::min(b.x1, static_cast<double>(fitted.width)), std::min(b.y1, static_cast<double>(fitted.height)));
  }
  std::printf("\n");
}

}  // namespace program
