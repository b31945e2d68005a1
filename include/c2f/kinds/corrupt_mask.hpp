// c2f/kinds/corrupt_mask.hpp: corrupts a true mask so that it resembles the output of a coarse network.
//
//   c2f::random_stream draw = step.draws(c2f::purpose::corrupt, 0);
//   c2f::corrupt_mask({mask.data(), height, width}, 4, 255, 0.4, draw);
//
// The cascade of nnU-Net (Isensee et al., Nature Methods 2021; nnUNetTrainer of version 2) trains its second network on true masks that are
// corrupted as follows: with probability .4 every label undergoes one of dilation, erosion, opening and closing, with a ball of radius 1
// to 8; with probability .2 every label loses one of its connected components, chosen among those that cover less than 15 % of the image.
// Differences: disks instead of balls and 8-connected components, since images are two-dimensional; integer radii, drawn uniformly; labels
// are processed in ascending order and not shuffled; and one label map instead of nnU-Net's one-hot channels, so that a pixel that leaves a
// label becomes 0, the background, which is itself not corrupted. As in nnU-Net, a growing label replaces other labels.
//
// Cost, on the host: a pass over the image per row of the disk and per present label.
#pragma once

#include <c2f/core/random.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace c2f {

/// A view of a label map, row-major.
struct label_map {
  std::int64_t* labels;
  std::int64_t height, width;
  [[nodiscard]] std::int64_t size() const { return height * width; }
};

namespace detail {

/// A set of pixels as a row-major mask; 1 where a pixel belongs to it.
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

  /// Dilation by a disk of `radius` pixels.
  void dilate(std::int64_t radius) {
    // Prefix sums of each row: an interval of a row contains pixels of the set if its two sums differ.
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
  /// Erosion by a disk of `radius` pixels; pixels outside of the image count as members of the set.
  void erode(std::int64_t radius) {
    invert();
    dilate(radius);
    invert();
  }

  /// The 8-connected components, each as the indices of its pixels.
  [[nodiscard]] std::vector<std::vector<std::int64_t>> components() const {
    std::vector<std::vector<std::int64_t>> found;
    std::vector<std::uint8_t> remaining = in;
    for (std::int64_t start = 0; start < height * width; ++start) {
      if (!remaining[static_cast<std::size_t>(start)]) continue;
      remaining[static_cast<std::size_t>(start)] = 0;
      std::vector<std::int64_t> pixels{start};
      for (std::size_t next = 0; next < pixels.size(); ++next) {
        std::int64_t const y = pixels[next] / width, x = pixels[next] % width;
        for (std::int64_t row = std::max<std::int64_t>(0, y - 1); row <= std::min(height - 1, y + 1); ++row)
          for (std::int64_t column = std::max<std::int64_t>(0, x - 1); column <= std::min(width - 1, x + 1); ++column)
            if (auto& there = remaining[at(row, column, width)]; there) {
              there = 0;
              pixels.push_back(row * width + column);
            }
      }
      found.push_back(std::move(pixels));
    }
    return found;
  }

 private:
  static std::size_t at(std::int64_t y, std::int64_t x, std::int64_t row) { return static_cast<std::size_t>(y * row + x); }
};

}  // namespace detail

/// Corrupts the labels 1 ... `last`: with probability `rate` by a morphological operation, with probability `rate` / 2 by removing a
/// component. Pixels of the label `ignore` are unchanged.
inline void corrupt_mask(label_map const& map, std::int64_t last, std::int64_t ignore, double rate, random_stream& draw) {
  bool const operate = draw.uniform() <= rate, remove = draw.uniform() <= rate / 2;
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
  if (remove)
    for (std::int64_t label = 1; label <= last; ++label) {
      auto found = detail::pixel_set(map, label).components();
      std::erase_if(found,
                    [&](auto const& pixels) { return static_cast<double>(pixels.size()) >= 0.15 * static_cast<double>(map.size()); });
      if (found.empty()) continue;
      for (auto const pixel : found[draw.below(static_cast<std::uint32_t>(found.size()))]) map.labels[pixel] = 0;
    }
}

}  // namespace c2f
