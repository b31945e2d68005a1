// A contact sheet of a localiser: test pictures with the true box in green, the coarse one in orange and the fine one in red, and below
// each the IoU of both: the mean over the classes present.
#pragma once

#include "common/program.hpp"
#include "common/sample.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/draw/canvas.hpp>

#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace program {

/// Writes a PNG of columns * rows test pictures that can be read, spread evenly over the split.
template <class Task, class Split>
void write_box_sheet(c2f::stack<Task> const& model, Split const& test, std::string const& title, std::filesystem::path const& file,
                     int columns = 6, int rows = 3) {
  using kind         = typename c2f::complete<Task>::kind;
  constexpr int side = static_cast<int>(Split::image::height), zoom = side <= 64 ? 2 : 1, shown = side * zoom, gap = 12, words = 42,
                top = 64;
  constexpr c2f::data::colour green{0, 150, 80}, orange{240, 150, 0}, red{210, 30, 40}, ink{40, 40, 40};
  auto const samples = spread_samples(test, columns * rows);
  auto const count   = static_cast<int>(samples.size());
  c2f::data::canvas page(gap + columns * (shown + gap), top + (count + columns - 1) / columns * (shown + words + gap));
  page.text(gap, 12, title, ink, 2);
  page.text(gap, 38, "truth", green, 2);
  page.text(gap + 84, 38, "coarse", orange, 2);
  page.text(gap + 180, 38, "fine", red, 2);

  at::NoGradGuard const no_gradients;
  int position = 0;
  for (auto const& sample : samples) {  // not a structured binding: lambdas capture it
    auto const& batch         = sample.batch;
    auto const [coarse, fine] = model(batch.images, c2f::eval);
    int const x = gap + position % columns * (shown + gap), y = top + position / columns * (shown + words + gap);
    ++position;
    page.blit(sample.picture, side, side, x, y, zoom);
    auto const frame = [&](at::Tensor const& box, c2f::data::colour tint) {
      auto const number = [&](int i) { return box[i].template item<double>() * shown; };
      page.frame(x + static_cast<int>(number(0) - number(2) / 2 + .5), y + static_cast<int>(number(1) - number(3) / 2 + .5),
                 static_cast<int>(number(2) + .5), static_cast<int>(number(3) + .5), tint, 2);
    };
    std::vector<std::int64_t> present;
    for (std::int64_t k = 0; k < kind::classes; ++k)
      if (batch.truth[0][k][4].template item<float>() > .5f) present.push_back(k);
    for (auto const k : present) frame(batch.truth[0][k], green);
    auto const show = [&](at::Tensor const& raw, c2f::data::colour tint, int row) {
      if (!raw.defined() || present.empty()) return;
      at::Tensor const boxes = kind::boxes_of(raw)[0];
      double iou             = 0;
      for (auto const k : present) {
        frame(boxes[k], tint);
        iou += c2f::detail::iou_of_boxes(boxes[k], batch.truth[0][k]).template item<double>();
      }
      char text[32];
      std::snprintf(text, sizeof text, "IoU %.2f", iou / static_cast<double>(present.size()));
      page.text(x, y + shown + 4 + 18 * row, text, tint, 2);
    };
    show(coarse, orange, 0);
    show(fine, red, 1);
  }
  if (program::first_process()) page.write_png(file);
}

}  // namespace program
