// c2f/data/labelled_pictures.hpp: a split of photographs with a label map each, of any size, seen through crops of one size.
//
//   c2f::data::labelled_pictures<233, 233> train("mine", files, {.classes = names});
//   c2f::random_stream draw{seed, c2f::purpose::augment, epoch, sample_id};
//   train.read(7, &draw, pixels, &label);             // a crop of the picture at a random scale, and its labels
//
// The splits of siftflow and stanford_background. Without augmentation a picture stands in the middle of the canvas at its own size; what
// does not fit is cut off, or with `whole` refused, as in a test split. Around a picture that is smaller, pixels have ImageNet's mean and
// labels are void, 255, which losses and metrics ignore (c2f::dense<K>). With augmentation the picture is scaled by `least_scale` to
// `most_scale` and shifted: a random crop where it is larger than the canvas, a random place in it where it is smaller, along each axis
// (Wang et al. 2019: "a combination of scaling and translation"); `mirror` adds mirroring. Pictures are interpolated bilinearly, labels by
// nearest neighbour. Intensities are normalised with ImageNet's mean and deviation.
//
// Costs: a picture is decoded at its first read and kept, 4 bytes a pixel, while `memory` lasts. Needs libjpeg and libspng.
// Errors: a picture that cannot be read, whose label map is missing, of another size or all void, is an input_error of read; its id stays.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/io/picture_file.hpp>

namespace c2f::data {

/// A picture and its label map.
struct labelled_file {
  std::filesystem::path picture, labels;
};

/// What a set of labelled pictures is, and how it is augmented.
struct labelled_pictures_options {
  std::vector<std::string> classes{};
  label_bytes (*read_labels)(std::filesystem::path const&) = &read_label_picture;  ///< labels below classes.size(), and 255 for void
  double least_scale = 0.5, most_scale = 2;
  bool mirror         = false;
  bool whole          = false;                  ///< a picture that is larger than the canvas is refused
  std::int64_t memory = std::int64_t{1} << 30;  ///< bytes of decoded pictures that are kept
};

template <std::int64_t Height, std::int64_t Width>
class labelled_pictures {
 public:
  using image       = c2f::image<3, Height, Width>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 2> truth_dims{Height, Width};
  static constexpr std::uint8_t void_label = 255;

  labelled_pictures(std::string name, std::vector<labelled_file> files, labelled_pictures_options options)
      : held_(std::make_shared<contents>(std::move(name), std::move(files), std::move(options))) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(held_->files.size()); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->options.classes; }
  /// The picture's file name, without the folder.
  [[nodiscard]] std::string name_of(std::int64_t id) const {
    return held_->files[static_cast<std::size_t>(id)].picture.filename().string();
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    sample const s(*this, id);
    auto const& how = held_->options;
    view seen;
    if (augment != nullptr) {
      seen.scale    = how.least_scale + (how.most_scale - how.least_scale) * augment->uniform();
      seen.top      = (static_cast<double>(s.height) * seen.scale - static_cast<double>(Height)) * augment->uniform();
      seen.left     = (static_cast<double>(s.width) * seen.scale - static_cast<double>(Width)) * augment->uniform();
      seen.mirrored = how.mirror && augment->below(2) == 1;
    } else {
      seen.top  = std::floor(static_cast<double>(s.height - Height) / 2);
      seen.left = std::floor(static_cast<double>(s.width - Width) / 2);
    }
    std::array<line, static_cast<std::size_t>(Width)> columns;
    for (std::int64_t x = 0; x < Width; ++x)
      columns[static_cast<std::size_t>(x)] = line_at(seen.mirrored ? Width - 1 - x : x, seen.left, seen.scale, s.width);
    for (std::int64_t y = 0; y < Height; ++y) {
      line const row = line_at(y, seen.top, seen.scale, s.height);
      for (line const& column : columns) {
        bool const inside = row.inside && column.inside;
        *truth++          = inside ? s.labels[row.nearest * s.width + column.nearest] : void_label;
        for (std::size_t c = 0; c < 3; ++c) {
          auto const byte = [&](std::int64_t of_row, std::int64_t of_column) {
            return static_cast<float>(s.rgb[3 * (of_row * s.width + of_column) + static_cast<std::int64_t>(c)]);
          };
          float value = 0;
          if (inside) {
            float const upper = byte(row.first, column.first) * (1 - column.weight) + byte(row.first, column.second) * column.weight;
            float const lower = byte(row.second, column.first) * (1 - column.weight) + byte(row.second, column.second) * column.weight;
            value             = ((upper * (1 - row.weight) + lower * row.weight) / 255 - imagenet_mean[c]) / imagenet_deviation[c];
          }
          *pixels++ = value;
        }
      }
    }
  }

  /// The picture as `read` shows it without augmentation, for drawing: Height * Width * 3 bytes, rows from the top.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const {
    constexpr auto area = static_cast<std::size_t>(Height * Width);
    std::vector<float> pixels(3 * area);
    std::vector<std::int64_t> truth(area);
    read(id, nullptr, pixels.data(), truth.data());
    std::vector<std::uint8_t> bytes(3 * area);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] =
          static_cast<std::uint8_t>(std::clamp(255 * (pixels[i] * imagenet_deviation[i % 3] + imagenet_mean[i % 3]) + .5f, 0.f, 255.f));
    return bytes;
  }

 private:
  struct contents {
    std::string name;
    std::vector<labelled_file> files;
    labelled_pictures_options options;
    detail::decoded_pictures decoded;
    contents(std::string n, std::vector<labelled_file> f, labelled_pictures_options o)
        : name(std::move(n)),
          files(std::move(f)),
          options(std::move(o)),
          decoded(files.size(), std::make_shared<std::atomic<std::int64_t>>(options.memory)) {}
  };
  // The corner of the canvas on the scaled picture.
  struct view {
    double scale = 1, top = 0, left = 0;
    bool mirrored = false;
  };
  // A row or column of the canvas: the two lines of the picture that it is interpolated from, and the nearest one.
  struct line {
    std::int64_t first = 0, second = 0, nearest = 0;
    float weight = 0;
    bool inside  = false;
  };
  static line line_at(std::int64_t i, double begin, double scale, std::int64_t size) {
    double const middle = (begin + static_cast<double>(i) + 0.5) / scale;  // pixel 0 of the picture covers 0 ... 1
    if (!(middle >= 0 && middle < static_cast<double>(size))) return {};
    double const from = std::clamp(middle - 0.5, 0.0, static_cast<double>(size - 1));
    auto const first  = static_cast<std::int64_t>(from);
    return {first, std::min(first + 1, size - 1), static_cast<std::int64_t>(middle), static_cast<float>(from - static_cast<double>(first)),
            true};
  }

  // The decoded bytes of a sample: height and width, the colours, the labels.
  struct sample {
    std::shared_ptr<std::vector<std::uint8_t> const> bytes;
    std::int64_t height = 0, width = 0;
    std::uint8_t const *rgb = nullptr, *labels = nullptr;
    sample(labelled_pictures const& from, std::int64_t id)
        : bytes(from.held_->decoded.of(static_cast<std::size_t>(id), [&] { return from.decode(id); })) {
      std::memcpy(&height, bytes->data(), sizeof height);
      std::memcpy(&width, bytes->data() + sizeof height, sizeof width);
      rgb    = bytes->data() + 2 * sizeof height;
      labels = rgb + 3 * height * width;
    }
  };
  [[nodiscard]] std::vector<std::uint8_t> decode(std::int64_t id) const {
    auto const& [picture_file, label_file] = held_->files[static_cast<std::size_t>(id)];
    auto const& how                        = held_->options;
    picture_bytes const picture            = read_picture(picture_file);
    auto const size                        = [](std::int64_t height, std::int64_t width) {
      return std::to_string(width) + " x " + std::to_string(height) + " pixels";
    };
    if (how.whole && (picture.height > Height || picture.width > Width))
      throw input_error("'" + picture_file.string() + "' is " + size(picture.height, picture.width) +
                        ", and this set is tested on whole pictures of up to " + size(Height, Width) + "; rescale picture and labels");
    label_bytes const labels = how.read_labels(label_file);
    check_label_size(label_file, labels, picture);
    bool any = false;
    for (std::uint8_t const label : labels.labels) {
      if (label != void_label && label >= how.classes.size())
        throw input_error("'" + label_file.string() + "' has the label " + std::to_string(label) + ", and the classes of " + held_->name +
                          " are 0 to " + std::to_string(how.classes.size() - 1) + "; correct it, or mark the pixels as void");
      any = any || label != void_label;
    }
    if (!any) throw input_error("'" + label_file.string() + "' is all void; leave the picture out");
    std::vector<std::uint8_t> made;
    made.reserve(2 * sizeof picture.height + picture.rgb.size() + labels.labels.size());  // no more than the cache counts
    made.resize(2 * sizeof picture.height);
    std::memcpy(made.data(), &picture.height, sizeof picture.height);
    std::memcpy(made.data() + sizeof picture.height, &picture.width, sizeof picture.width);
    made.insert(made.end(), picture.rgb.begin(), picture.rgb.end());
    made.insert(made.end(), labels.labels.begin(), labels.labels.end());
    return made;
  }

  std::shared_ptr<contents> held_;
};

}  // namespace c2f::data
