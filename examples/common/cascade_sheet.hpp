// A contact sheet of a cascade for segmentation: a row for each picture, with truth, coarse and fine labels, the probability that a pixel is
// easy, the labels of the answer, and its errors.
#pragma once

#include "common/mask_sheet.hpp"
#include "common/program.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace program {

/// A colour for each of `count` labels, CamVid's own for up to 12.
inline std::vector<c2f::data::colour> label_colours(std::size_t count) {
  std::vector<c2f::data::colour> all(c2f::data::camvid_colours.begin(), c2f::data::camvid_colours.end());
  for (std::size_t i = all.size(); i < count; ++i) {  // hues a golden section apart
    auto const part = [&](double shift) {
      double const hue = std::fmod(static_cast<double>(i) * 0.618 + shift, 1.0);
      return static_cast<std::uint8_t>(60 + 180 * std::clamp(std::abs(6 * hue - 3) - 1, 0.0, 1.0));
    };
    all.push_back({part(0), part(2.0 / 3), part(1.0 / 3)});
  }
  return all;
}

/// RGB bytes: a colour for each value.
template <class Value, class Colour>
std::vector<std::uint8_t> painted(std::vector<Value> const& values, Colour const& of) {
  std::vector<std::uint8_t> rgb;
  rgb.reserve(3 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    c2f::data::colour const tint = of(i, values[i]);
    rgb.insert(rgb.end(), {tint.red, tint.green, tint.blue});
  }
  return rgb;
}
/// From dark blue (0) over green to yellow (1).
inline c2f::data::colour heat(float value) {
  constexpr std::array<std::array<float, 3>, 3> stops{{{68, 1, 84}, {33, 145, 140}, {253, 231, 37}}};
  float const at      = 2 * std::clamp(value, 0.0f, 1.0f);
  auto const from     = static_cast<std::size_t>(std::min(at, 1.999f));
  float const further = at - static_cast<float>(from);
  auto const part     = [&](std::size_t c) {
    return static_cast<std::uint8_t>(stops[from][c] + further * (stops[from + 1][c] - stops[from][c]) + .5f);
  };
  return {part(0), part(1), part(2)};
}

/// `rows` pictures spread over the split. Columns without a tensor, such as the fine labels of a coarse network alone, are left out.
template <class Task, class Split>
void write_cascade_sheet(c2f::stack<Task> const& model, Split const& test, std::string const& title, std::filesystem::path const& file,
                         std::int64_t rows = 4) {
  using kind           = typename c2f::complete<Task>::kind;
  constexpr int height = static_cast<int>(Split::image::height), width = static_cast<int>(Split::image::width), gap = 8, words = 20,
                top = 44;
  constexpr c2f::data::colour ink{40, 40, 40}, nothing{255, 255, 255}, right{225, 225, 225}, wrong{204, 51, 17};
  auto const colours = label_colours(static_cast<std::size_t>(kind::labels));
  auto const samples = spread_samples(test, rows);
  bool const gated   = model(samples.at(0).batch.images, c2f::eval).output("easy").defined();
  int const columns  = 4 + 2 * c2f::stack<Task>::has_fine + gated;
  c2f::data::canvas page(gap + columns * (width + gap), top + static_cast<int>(samples.size()) * (height + words + gap));
  page.text(gap, 12, title, ink, 2);
  at::NoGradGuard const no_gradients;
  for (int y = top; auto const& sample : samples) {
    auto const both  = model(sample.batch.images, c2f::eval);
    auto const truth = bytes_of(sample.batch.truth[0]);
    int x            = gap;
    auto const show  = [&](std::vector<std::uint8_t> const& rgb, std::string const& text) {
      page.blit(rgb, width, height, x, y);
      page.text(x, y + height + 4, text, ink, 1);
      x += width + gap;
    };
    auto const colour_of = [&](std::size_t, std::uint8_t label) {
      return label < kind::labels && label != kind::ignore ? colours[label] : nothing;
    };
    auto const labels = [&](at::Tensor const& raw, char const* stage) {
      typename kind::score score;
      score.add(raw, sample.batch.truth);
      char text[64];
      std::snprintf(text, sizeof text, "%s, pixels %.3f", stage, score.values()[1].second);
      show(painted(bytes_of(kind::labels_of(raw)[0]), colour_of), text);
    };
    show(sample.picture, "picture");
    show(painted(truth, colour_of), "truth");
    labels(both.coarse, "coarse");
    if (both.fine.defined()) labels(both.fine, "fine");
    if (at::Tensor const easy = both.output("easy"); easy.defined()) {
      at::Tensor const values = easy[0][0].to(at::kFloat).contiguous();
      std::vector<float> const each(values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel());
      show(painted(each, [](std::size_t, float value) { return heat(value); }), "p_a, yellow: coarse is taken");
    }
    if (both.fine.defined()) labels(both.answer, "answer");
    show(painted(bytes_of(kind::labels_of(both.answer)[0]),
                 [&](std::size_t i, std::uint8_t label) { return truth[i] == kind::ignore ? nothing
                                                                 : truth[i] == label      ? right
                                                                                          : wrong; }),
         "errors of the answer");
    y += height + words + gap;
  }
  if (program::first_process()) page.write_png(file);
}

}  // namespace program
