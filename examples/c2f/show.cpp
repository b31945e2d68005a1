#include "c2f/commands.hpp"
#include "c2f/drawing.hpp"

#include "common/program.hpp"

#include <c2f/core/text.hpp>

#include <cstdio>

namespace tool {

void show(data_options const& options, std::filesystem::path const& out, std::int64_t count, std::string const& part_name) {
  program::check_folder(out);
  found_data const data = recognise(options);
  std::fputs(data.summary().c_str(), stdout);
  if (out.empty()) return;
  std::size_t const part = static_cast<std::size_t>(std::find(part_names.begin(), part_names.end(), part_name) - part_names.begin());
  constexpr int side = 200, gap = 10, words = 34, columns = 6, top = 44;
  auto const rows       = static_cast<int>((std::min(count, data.size(part)) + columns - 1) / columns);
  auto const colours    = class_colours(data.palette, data.table.values(), data.classes.size());
  bool const legend     = data.kind == kind::boxes || data.kind == kind::masks;
  int const legend_rows = legend ? static_cast<int>((std::min<std::size_t>(data.classes.size(), 36) + columns - 1) / columns) : 0;
  c2f::data::canvas page(gap + columns * (side + gap), top + legend_rows * 26 + rows * (side + words));
  c2f::data::colour const ink{40, 40, 40};
  page.text(gap, 12, c2f::text::printable(data.root.lexically_normal().string(), 60) + ", " + part_name + ", " + data.layout, ink, 2);
  for (int k = 0; legend && k < static_cast<int>(data.classes.size()) && k < 36; ++k) {
    int const x = gap + k % columns * (side + gap), y = top + k / columns * 26;
    page.rectangle(x, y, 16, 16, data.kind == kind::masks ? colours[static_cast<std::size_t>(k)] : colour_of(static_cast<std::size_t>(k)));
    page.text(x + 22, y + 2, c2f::text::printable(data.classes[static_cast<std::size_t>(k)], 14), ink, 1.8);
  }
  int position = 0;
  for (std::int64_t i = 0, n = std::min(count, data.size(part)); i < n; ++i) {
    int const x = gap + position % columns * (side + gap), y = top + legend_rows * 26 + position / columns * (side + words);
    ++position;
    std::int64_t const id = i * data.size(part) / n;
    std::string below     = data.name(part, id);
    if (auto const slash = below.rfind('/'); slash != std::string::npos) below = below.substr(slash + 1);
    try {
      auto const one    = data.read(part, id);
      auto const square = c2f::data::fitted(one.picture, c2f::data::resizing::letterbox, side, side);
      page.blit(square.rgb, side, side, x, y);
      if (data.kind == kind::classes) below = data.classes[static_cast<std::size_t>(one.truth.label)];
      if (!one.truth.values.empty()) below.clear();
      for (std::size_t k = 0; k < one.truth.values.size(); ++k)  // the attributes, or the numbers
        if (data.kind == kind::numbers ? !std::isnan(one.truth.values[k]) : one.truth.values[k] == 1)
          below += (below.empty() ? "" : ", ") +
                   (data.kind == kind::numbers ? c2f::data::detail::text_of(one.truth.values[k]) : data.classes[k]);
      for (std::size_t k = 0; k < one.truth.boxes.size(); ++k)
        if (one.truth.boxes[k]) draw_box(page, square.place.there(*one.truth.boxes[k]), colour_of(k), "", x, y);
      if (data.kind == kind::masks) {
        auto rgb = square.rgb;
        std::vector<std::uint8_t> labels(side * side, 255);
        for (int row = 0; row < side; ++row)
          for (int column = 0; column < side; ++column) {
            auto const at = square.place.back({column + .5, row + .5, 0, 0});
            if (at.x0 >= 0 && at.y0 >= 0 && at.x0 < static_cast<double>(one.picture.width) &&
                at.y0 < static_cast<double>(one.picture.height))
              labels[static_cast<std::size_t>(row * side + column)] = one.truth.mask.labels[static_cast<std::size_t>(
                  static_cast<std::int64_t>(at.y0) * one.picture.width + static_cast<std::int64_t>(at.x0))];
          }
        tint_labels(rgb, labels, colours);
        page.blit(rgb, side, side, x, y);
      }
    } catch (c2f::input_error const& error) {
      page.rectangle(x, y, side, side, {235, 235, 235});
      page.text(x + 8, y + 90, "cannot be read", {180, 30, 40}, 2);
      program::say(error.what());
    }
    page.text(x, y + side + 6, c2f::text::printable(below, 20), ink, 1.6);
  }
  program::prepare_folder(out);
  page.write_png(out / "contact_sheet.png");
  std::printf("%s\n", (out / "contact_sheet.png").c_str());
}

}  // namespace tool
