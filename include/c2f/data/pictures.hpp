// c2f/data/pictures.hpp: a split of 32x32 RGB pictures with one class each, kept in memory as bytes: the splits of cifar and glyphs.
//
//   c2f::data::pictures<100> train = data.train;
//   train.read(7, nullptr, pixels, &label);            // 3,072 normalised floats, channels innermost, and the class
//   train.classes()[label];                            // "aquarium_fish"
//   page.blit(train.picture(7), 32, 32, 10, 10, 3);    // the bytes, for drawing
//
// Augmentation is torchvision's RandomCrop(32, padding) and RandomHorizontalFlip, then ToTensor and Normalize: the crop pads with black
// *before* normalisation.
//
// Cost: copies share the bytes. A read allocates nothing and takes a few microseconds: three table look-ups a pixel.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/split.hpp>

namespace c2f::data {

/// The layout of a sample's bytes, and how reading normalises and augments them.
struct picture_format {
  std::size_t record_bytes;        ///< the size of a sample
  std::size_t label_at;            ///< the offset of the class byte in a record
  std::size_t pixels_at;           ///< the offset of the three planes of 32x32 bytes: red, green, blue
  std::array<float, 3> mean;       ///< of red, green and blue over the training set, in units of 0...1
  std::array<float, 3> deviation;  ///< the standard deviations, likewise
  int pad;                         ///< the padding of the random crop: the largest shift in pixels along each axis
  bool flip;                       ///< whether augmentation mirrors a picture with probability 1/2
};

/// A split of 32x32 RGB pictures, each of one of `Classes` classes; its truth is the class, int64.
template <std::int64_t Classes>
class pictures {
 public:
  static_assert(Classes >= 2 && Classes <= 256, "c2f::data::pictures keeps a class in a byte: 2 to 256 classes");
  using image       = c2f::image<3, 32, 32>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};

  /// `bytes` is a sequence of records whose labels are below Classes (not checked); `classes` is empty or has a name for each class.
  /// `drawn`: of pictures that a program draws, a hash of what they depend on.
  pictures(std::string name, std::vector<std::uint8_t> bytes, picture_format const& format, std::vector<std::string> classes,
           std::uint64_t drawn = 0)
      : held_(std::make_shared<contents const>(std::move(name), std::make_shared<std::vector<std::uint8_t> const>(std::move(bytes)), format,
                                               std::move(classes), look_up_table(format), drawn)) {}

  /// The same pictures with another normalisation and padding of the random crop; shares the bytes. With mean 0 and deviation 1 pixels are
  /// 0 ... 1.
  [[nodiscard]] pictures seen_with(std::array<float, 3> mean, std::array<float, 3> deviation, int pad) const {
    picture_format changed = held_->format;
    changed.mean = mean, changed.deviation = deviation, changed.pad = pad;
    pictures other = *this;
    other.held_ =
        std::make_shared<contents const>(held_->name, held_->bytes, changed, held_->classes, look_up_table(changed), held_->drawn);
    return other;
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(held_->bytes->size() / held_->format.record_bytes); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  /// The names of the classes; empty if unknown.
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->classes; }
  [[nodiscard]] static constexpr std::int64_t class_count() { return Classes; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return record(id)[held_->format.label_at]; }

  /// Of drawn pictures what they depend on, of others their labels.
  [[nodiscard]] std::uint64_t fingerprint() const { return held_->drawn != 0 ? held_->drawn : detail::labels_hash(*this); }

  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    *truth = label(id);
    window where;
    if (augment != nullptr) {
      auto const shift = [&, pad = held_->format.pad] {
        return static_cast<int>(augment->below(static_cast<std::uint32_t>(2 * pad + 1))) - pad;
      };
      where.down     = shift();
      where.right    = shift();
      where.mirrored = held_->format.flip && augment->below(2) == 1;
    }
    copy(planes(id), where, pixels);
  }

  /// The bytes of a picture: 32 * 32 * 3, rows from the top, channels innermost.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const {
    std::uint8_t const* const from = planes(id);
    std::vector<std::uint8_t> rgb(3 * plane);
    for (std::size_t i = 0; i < plane; ++i)
      for (std::size_t c = 0; c < 3; ++c) rgb[3 * i + c] = from[c * plane + i];
    return rgb;
  }

  /// The normalised value of a byte: [channel][byte].
  using table = std::array<std::array<float, 256>, 3>;
  [[nodiscard]] table const& normalised() const { return held_->normalised; }
  [[nodiscard]] picture_format const& format() const { return held_->format; }
  /// The stored bytes of a picture: three planes of 32x32, red, green, blue.
  [[nodiscard]] std::uint8_t const* planes(std::int64_t id) const { return record(id) + held_->format.pixels_at; }

 private:
  static constexpr int side          = 32;
  static constexpr std::size_t plane = side * side;
  struct contents {
    std::string name;
    std::shared_ptr<std::vector<std::uint8_t> const> bytes;
    picture_format format;
    std::vector<std::string> classes;
    table normalised;  // [channel][byte]
    std::uint64_t drawn;
    // Explicit because make_shared cannot use aggregate initialisation with every supported compiler.
    contents(std::string n, std::shared_ptr<std::vector<std::uint8_t> const> b, picture_format const& f, std::vector<std::string> c,
             table const& t, std::uint64_t d)
        : name(std::move(n)), bytes(std::move(b)), format(f), classes(std::move(c)), normalised(t), drawn(d) {}
  };
  // The crop's offset, and whether its content is mirrored.
  struct window {
    int down = 0, right = 0;
    bool mirrored = false;
  };

  static table look_up_table(picture_format const& format) {
    table values;
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t byte = 0; byte < 256; ++byte)
        values[c][byte] = (static_cast<float>(byte) / 255.0f - format.mean[c]) / format.deviation[c];
    return values;
  }

  [[nodiscard]] std::uint8_t const* record(std::int64_t id) const {
    assert(id >= 0 && id < size());
    return held_->bytes->data() + static_cast<std::size_t>(id) * held_->format.record_bytes;
  }

  void copy(std::uint8_t const* from, window const& where, float* pixels) const {
    table const& normalised = held_->normalised;
    for (int y = 0; y < side; ++y) {
      int const row = y + where.down;
      for (int x = 0; x < side; ++x) {
        int const column  = (where.mirrored ? side - 1 - x : x) + where.right;
        bool const inside = row >= 0 && row < side && column >= 0 && column < side;
        auto const at     = static_cast<std::size_t>(inside ? row * side + column : 0);
        for (std::size_t c = 0; c < 3; ++c) *pixels++ = normalised[c][inside ? from[c * plane + at] : 0];
      }
    }
  }

  std::shared_ptr<contents const> held_;
};

}  // namespace c2f::data
