// A contact sheet of a segmentation: test pictures, each with the coarse and the fine prediction as a tint and the truth as an outline.
#pragma once

#include "common/program.hpp"
#include "common/sample.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/draw/overlay.hpp>

#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace program {

/// Labels [H, W] as bytes.
inline std::vector<std::uint8_t> bytes_of(at::Tensor const& labels) {
  at::Tensor const bytes = labels.to(at::kByte).contiguous();
  return {bytes.const_data_ptr<std::uint8_t>(), bytes.const_data_ptr<std::uint8_t>() + bytes.numel()};
}

/// One group of three images a picture: plain, coarse, fine; across * down groups. The kind's primary metric is below each prediction.
template <class Task, class Split>
void write_mask_sheet(c2f::stack<Task> const& model, Split const& test, std::string const& title, std::filesystem::path const& file,
                      c2f::data::overlay_options look = {}, int across = 2, int down = 4) {
  using kind           = typename c2f::complete<Task>::kind;
  constexpr int height = static_cast<int>(Split::image::height), width = static_cast<int>(Split::image::width);
  constexpr int zoom = width <= 96 ? 2 : 1, gap = 10, words = 22, top = 44;
  constexpr c2f::data::colour ink{40, 40, 40};
  int const step_x = 3 * (width * zoom + gap) + gap, step_y = height * zoom + words + gap;
  auto const samples = spread_samples(test, across * down);
  auto const count   = static_cast<int>(samples.size());
  c2f::data::canvas page(gap + across * step_x, top + (count + across - 1) / across * step_y);
  page.text(gap, 12, title, ink, 2);

  at::NoGradGuard const no_gradients;
  int position = 0;
  for (auto const& sample : samples) {  // not a structured binding: lambdas capture it
    auto const& batch         = sample.batch;
    auto const& picture       = sample.picture;
    auto const [coarse, fine] = model(batch.images, c2f::eval);
    auto const truth          = bytes_of(batch.truth[0]);
    int const x = gap + position % across * step_x, y = top + position / across * step_y;
    ++position;
    auto const show = [&](int column, std::vector<std::uint8_t> const& prediction, std::vector<std::uint8_t> const& outline,
                          std::string const& text) {
      look.x    = x + column * (width * zoom + gap);
      look.y    = y;
      look.zoom = zoom;
      c2f::data::overlay(page, picture, height, width, prediction, outline, look);
      page.text(look.x, y + height * zoom + 4, text, ink, 1);
    };
    auto const show_prediction = [&](int column, char const* stage, at::Tensor const& raw) {
      if (!raw.defined()) return;
      typename kind::score score;
      score.add(raw, batch.truth);
      auto const [name, value] = score.values().front();
      char text[64];
      std::snprintf(text, sizeof text, "%s %s %.3f", stage, name, value);
      show(column, bytes_of(kind::labels_of(raw)[0]), truth, text);
    };
    show(0, {}, {}, "picture");
    show_prediction(1, "coarse", coarse);
    show_prediction(2, "fine", fine);
  }
  if (program::first_process()) page.write_png(file);
}

}  // namespace program
