// c2f/kinds/corrupt_mask.hpp: how a true mask is damaged, so that it looks like what a coarse network would have said.
//
//   c2f::random_stream draw = p.draws(c2f::purpose::corrupt, i);
//   c2f::corrupt_mask({labels, height, width}, 4, 255, 0.4, draw);
//
// nnU-Net's cascade (Isensee et al., Nature Methods 2021; nnUNetTrainer of version 2) trains its second network on true masks that are
// damaged with these numbers: with probability .4 every label goes through one of dilation, erosion, opening and closing, with a ball
// of radius 1 to 8; with probability .2 every label loses one of its connected components, among those that cover less than
// 15 % of the image. Differences: here the balls are disks and components touch in 8 directions, since images are two-dimensional;
// radii are whole pixels, each as likely as the next; labels are taken in rising order and not shuffled; and a map of labels stands
// for nnU-Net's one-hot channels, so that a pixel that leaves a label becomes 0, the background, which is never itself damaged.
// As there, a label that grows takes the pixels of the others.
//
// Cost, on the host: a pass over the image for each row of the disk and each label that is there.
#pragma once

#include <c2f/core/random.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace c2f {

/// A map of labels, row by row.
struct label_map {
  std::int64_t* labels;
  std::int64_t height, width;
  [[nodiscard]] std::int64_t size() const { return height * width; }
};

namespace detail {

/// A set of pixels, row by row; 1 where a pixel belongs to it.
struct pixel_set {
  std::int64_t height, width;
  std::vector<std::uint8_t> in;

  pixel_set(label_map const& map, std::int64_t label) : height(map.height), width(map.width), in(static_cast<std::size_t>(map.size())) {
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = map.labels[i] == label;
  }
  [[nodiscard]] bool empty() const { return std::find(in.begin(), in.end(), 1) == in.end(); }
  void invert() {
    for (auto& each : in) each ^= 1;
  }

  /// Every pixel with one of the set within `radius`.
  void dilate(std::int64_t radius) {
    // How many of the set stand in a row before a column: a stretch of a row has some where two counts differ.
    std::vector<std::int64_t> before(static_cast<std::size_t>(height * (width + 1)));
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) before[at(y, x + 1, width + 1)] = before[at(y, x, width + 1)] + in[at(y, x, width)];
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t row = std::max<std::int64_t>(0, y - radius); row <= std::min(height - 1, y + radius); ++row) {
        std::int64_t reach = radius;
        while (reach * reach + (row - y) * (row - y) > radius * radius) --reach;
        for (std::int64_t x = 0; x < width; ++x)
          in[at(y, x, width)] |= before[at(row, std::min(width, x + reach + 1), width + 1)] !=
                                 before[at(row, std::max<std::int64_t>(0, x - reach), width + 1)];
      }
  }
  /// Every pixel whose neighbours within `radius` all belong to the set; what lies outside of the image counts as of the set.
  void erode(std::int64_t radius) {
    invert();
    dilate(radius);
    invert();
  }

  /// The connected components, each as the places of its pixels.
  [[nodiscard]] std::vector<std::vector<std::int64_t>> components() const {
    std::vector<std::vector<std::int64_t>> found;
    std::vector<std::uint8_t> left = in;
    for (std::int64_t start = 0; start < height * width; ++start) {
      if (!left[static_cast<std::size_t>(start)]) continue;
      left[static_cast<std::size_t>(start)] = 0;
      std::vector<std::int64_t> places{start};
      for (std::size_t next = 0; next < places.size(); ++next) {
        std::int64_t const y = places[next] / width, x = places[next] % width;
        for (std::int64_t row = std::max<std::int64_t>(0, y - 1); row <= std::min(height - 1, y + 1); ++row)
          for (std::int64_t column = std::max<std::int64_t>(0, x - 1); column <= std::min(width - 1, x + 1); ++column)
            if (auto& there = left[at(row, column, width)]; there) {
              there = 0;
              places.push_back(row * width + column);
            }
      }
      found.push_back(std::move(places));
    }
    return found;
  }

 private:
  static std::size_t at(std::int64_t y, std::int64_t x, std::int64_t row) { return static_cast<std::size_t>(y * row + x); }
};

}  // namespace detail

/// Damages the labels 1 ... `last` with the numbers of `draw`: an operator with probability `rate`, a lost component with half of it.
/// Pixels of the label `ignore` stay what they are.
inline void corrupt_mask(label_map const& map, std::int64_t last, std::int64_t ignore, double rate, random_stream& draw) {
  bool const operate = draw.uniform() <= rate, lose = draw.uniform() <= rate / 2;
  if (operate)
    for (std::int64_t label = 1; label <= last; ++label) {
      detail::pixel_set set(map, label);
      if (set.empty()) continue;
      std::uint32_t const what  = draw.below(4);  // dilation, erosion, opening, closing
      std::int64_t const radius = 1 + draw.below(8);
      if (what == 1 || what == 2) set.erode(radius);
      if (what != 1) set.dilate(radius);
      if (what == 3) set.erode(radius);
      for (std::int64_t i = 0; i < map.size(); ++i) {
        std::int64_t& pixel = map.labels[i];
        if (pixel == ignore) continue;
        if (set.in[static_cast<std::size_t>(i)])
          pixel = label;
        else if (pixel == label)
          pixel = 0;
      }
    }
  if (lose)
    for (std::int64_t label = 1; label <= last; ++label) {
      auto found = detail::pixel_set(map, label).components();
      std::erase_if(found,
                    [&](auto const& places) { return static_cast<double>(places.size()) >= 0.15 * static_cast<double>(map.size()); });
      if (found.empty()) continue;
      for (auto const place : found[draw.below(static_cast<std::uint32_t>(found.size()))]) map.labels[place] = 0;
    }
}

}  // namespace c2f
