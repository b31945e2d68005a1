// c2f/data/augment.hpp: augmentation of pictures, with the boxes and masks on them.
//
//   c2f::data::augmentation const how{.rotate = 15, .brightness = .4, .contrast = .4, .erase = .25};      // and flip, scale, shift, gain
//   c2f::random_stream draw{seed, c2f::purpose::augment, epoch, sample_id};
//   c2f::data::view const seen = c2f::data::draw_view(draw, how, {}, 96);
//   seen.picture(rgb, 96, pixels);                                                   // 0 ... 255, with what it moves and colours
//   seen.labels(bytes.data(), 96, std::uint8_t{255}, object.data());                 // a mask, moved alike
//   c2f::metrics::box const there = seen({10, 10, 50, 50}, 96);                      // and a box: around its moved corners
//
// Every split of square pictures takes an `augmentation`: class_folders, mask_folders, voc, coco, picture_table. What is drawn is a function of
// the stream, that is, of (seed, epoch, sample id). A member of 0 draws nothing, so the others are drawn as without it.
//
// Order: mirror, scale and shift (along the axes), rotate, the moving operations of RandAugment; all of them are one map, and the picture is
// resampled once. Then colour jitter in a random order and the colour operations of RandAugment (colour_operations.hpp), and the gain of each
// channel, and last a rectangle is erased. A pixel of which the map says that it is outside of the square is padding, or `outside` in masks.
// A map along the axes resamples with PIL's filter, which widens where it shrinks; one with a rotation interpolates bilinearly. Masks take
// the pixel below the centre. Erasing changes neither boxes nor masks.
//
// Costs (192 x 192): about .5 ms along the axes, 1 ms with a rotation, and .1 to 1 ms a colour operation. Errors: checked() and
// read_augmentation() throw input_error for a value out of range and a text that is none.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/colour_operations.hpp>
#include <c2f/data/letterbox.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// The ranges of augmentation. Zeros and false disable it.
struct augmentation {
  bool flip    = true;             ///< mirror every second picture
  double scale = .2;               ///< a scale in 1 - .2 ... 1 + .2, about the centre
  double shift = .1;               ///< a shift along each axis of up to this fraction of the side
  double gain  = .1;               ///< a factor in 1 - .1 ... 1 + .1 for each channel's difference from the mean colour
  std::array<double, 2> scales{};  ///< if above 0: a scale between both, uniform in its logarithm, in place of `scale`
  double rotate     = 0;           ///< a rotation about the centre of up to as many degrees, in both directions
  double brightness = 0, contrast = 0, saturation = 0;  ///< colour jitter: a factor in 1 - b ... 1 + b (torchvision's ColorJitter)
  double hue       = 0;                                 ///< a turn of the colours in -h ... h, of .5 at most
  int operations   = 0;                                 ///< RandAugment (Cubuk et al. 2020): how many of its 14 operations, N
  double magnitude = 9;                                 ///< their strength, M, 0 to 30
  double erase     = 0;  ///< random erasing (Zhong et al. 2020): the probability that a rectangle gets the mean colour
};

/// The augmentation; input_error for a value out of range.
[[nodiscard]] inline augmentation const& checked(augmentation const& how) {
  auto const check = [](char const* member, double found, double least, double most) {
    if (!(found >= least && found <= most))
      throw input_error(std::string("the augmentation's ") + member + " is " + detail::text_of(found) + "; it must be from " +
                        detail::text_of(least) + " to " + detail::text_of(most));
  };
  check("scale", how.scale, 0, .99), check("shift", how.shift, 0, 1), check("gain", how.gain, 0, 1);
  check("rotate", how.rotate, 0, 180), check("hue", how.hue, 0, .5), check("erase", how.erase, 0, 1);
  check("brightness", how.brightness, 0, 10), check("contrast", how.contrast, 0, 10), check("saturation", how.saturation, 0, 10);
  check("operations", how.operations, 0, 14), check("magnitude", how.magnitude, 0, 30);
  check("smaller scale", how.scales[0], 0, 100), check("larger scale", how.scales[1], how.scales[0], 100);
  return how;
}

/// Its members by their names (split.hpp: settings()).
[[nodiscard]] inline std::vector<std::pair<std::string, double>> settings_of(augmentation const& how) {
  std::vector<std::pair<std::string, double>> all;
  for (auto const& [name, value] : {std::pair<char const*, double>{"flip", how.flip},
                                    {"scale", how.scale},
                                    {"shift", how.shift},
                                    {"gain", how.gain},
                                    {"smaller scale", how.scales[0]},
                                    {"larger scale", how.scales[1]},
                                    {"rotate", how.rotate},
                                    {"brightness", how.brightness},
                                    {"contrast", how.contrast},
                                    {"saturation", how.saturation},
                                    {"hue", how.hue},
                                    {"operations", static_cast<double>(how.operations)},
                                    {"magnitude", how.magnitude},
                                    {"erase", how.erase}})
    all.emplace_back(std::string("augmentation's ") + name, value);
  return all;
}

/// x' = xx x + xy y + x0, y' = yx x + yy y + y0, in pixels.
struct affine {
  double xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;

  [[nodiscard]] std::array<double, 2> operator()(double x, double y) const { return {xx * x + xy * y + x0, yx * x + yy * y + y0}; }
  /// First `before`, then this.
  [[nodiscard]] affine after(affine const& before) const {
    auto const [x, y] = (*this)(before.x0, before.y0);
    return {xx * before.xx + xy * before.yx, xx * before.xy + xy * before.yy, x,
            yx * before.xx + yy * before.yx, yx * before.xy + yy * before.yy, y};
  }
  [[nodiscard]] affine inverse() const {
    double const scale = 1 / (xx * yy - xy * yx);
    return {yy * scale, -xy * scale, (xy * y0 - yy * x0) * scale, -yx * scale, xx * scale, (yx * x0 - xx * y0) * scale};
  }
  /// Counter-clockwise about a point; y points down.
  [[nodiscard]] static affine rotation(double degrees, double x, double y) {
    double const c = std::cos(degrees * std::numbers::pi / 180), s = std::sin(degrees * std::numbers::pi / 180);
    return {c, s, x - c * x - s * y, -s, c, y + s * x - c * y};
  }
  friend bool operator==(affine const&, affine const&) = default;
};

/// A change of the colours, and how strong it is.
struct colour_operation {
  enum what { brightness, contrast, saturation, hue, sharpness, posterize, solarize, autocontrast, equalize } which = brightness;
  float strength                                                                                                    = 1;

  void operator()(std::span<float> rgb, std::int64_t height, std::int64_t width) const {
    switch (which) {
      case brightness:
        return adjust_brightness(rgb, strength);
      case contrast:
        return adjust_contrast(rgb, strength);
      case saturation:
        return adjust_saturation(rgb, strength);
      case hue:
        return adjust_hue(rgb, strength);
      case sharpness:
        return adjust_sharpness(rgb, height, width, strength);
      case posterize:
        return data::posterize(rgb, static_cast<int>(strength));
      case solarize:
        return data::solarize(rgb, strength);
      case autocontrast:
        return data::autocontrast(rgb);
      case equalize:
        return data::equalize(rgb);
    }
  }
};

namespace detail {

/// For each of `out` pixels of a canvas the pixel of `size` below its centre, or -1.
inline std::vector<std::int64_t> nearest_pixels(std::int64_t size, std::int64_t out, axis const& map) {
  std::vector<std::int64_t> made;
  for (std::int64_t i = 0; i < out; ++i) {
    double at = (static_cast<double>(i) + .5 - map.shift) / map.scale;
    if (map.mirrored) at = static_cast<double>(size) - at;
    made.push_back(at >= 0 && at < static_cast<double>(size) ? static_cast<std::int64_t>(at) : -1);
  }
  return made;
}
/// Labels [height, width] on a canvas, by nearest neighbour; `outside` where the canvas shows nothing of them.
template <class From, class To>
void nearest_labels(From const* from, std::int64_t height, std::int64_t width, axis const& across, axis const& down,
                    std::int64_t out_height, std::int64_t out_width, To outside, To* to) {
  auto const columns = nearest_pixels(width, out_width, across), rows = nearest_pixels(height, out_height, down);
  for (std::int64_t const row : rows)
    for (std::int64_t const column : columns) *to++ = row < 0 || column < 0 ? outside : static_cast<To>(from[row * width + column]);
}

/// A picture through a map onto a canvas of its size, interpolated bilinearly; `pad` where a pixel's centre comes from outside of it.
inline void warp(std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width, affine const& map,
                 std::array<std::uint8_t, 3> const& pad, float* out) {
  affine const back = map.inverse();
  auto const across = static_cast<double>(width), down_to = static_cast<double>(height);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x, out += 3) {
      auto const [u, v] = back(static_cast<double>(x) + .5, static_cast<double>(y) + .5);
      if (!(u >= 0 && u < across && v >= 0 && v < down_to)) {
        std::copy(pad.begin(), pad.end(), out);
        continue;
      }
      double const left = std::clamp(u - .5, 0.0, across - 1), top = std::clamp(v - .5, 0.0, down_to - 1);
      auto const column = static_cast<std::int64_t>(left), row = static_cast<std::int64_t>(top);
      auto const right = static_cast<float>(left - static_cast<double>(column)), down = static_cast<float>(top - static_cast<double>(row));
      std::uint8_t const *const upper = rgb.data() + 3 * row * width, *const lower = rgb.data() + 3 * std::min(row + 1, height - 1) * width;
      std::int64_t const first = 3 * column, second = 3 * std::min(column + 1, width - 1);
      for (int c = 0; c < 3; ++c) {
        auto const along = [&](std::uint8_t const* of) {
          return static_cast<float>(of[first + c]) * (1 - right) + static_cast<float>(of[second + c]) * right;
        };
        out[c] = along(upper) * (1 - down) + along(lower) * down;
      }
    }
}

inline constexpr std::array<std::uint8_t, 3> mean_colour{124, 116, 104};  // 255 times ImageNet's mean

}  // namespace detail

/// One drawn augmentation: the maps of both axes, another map after them, colours, a gain for each of R, G and B, and what is erased.
struct view {
  axis across{}, down{};
  std::array<float, 3> gain{1, 1, 1};
  std::optional<affine> then{};                         ///< after the maps of the axes
  std::vector<colour_operation> colours{};              ///< in this order
  std::optional<std::array<std::int64_t, 4>> erased{};  ///< top, left, height, width

  /// The whole map of a picture.
  [[nodiscard]] affine map(double height, double width) const {
    auto const of = [&](axis const& a, double size) {
      return std::pair{a.mirrored ? -a.scale : a.scale, a.mirrored ? a.scale * size + a.shift : a.shift};
    };
    auto const [x, left] = of(across, width);
    auto const [y, top]  = of(down, height);
    affine const along_axes{x, 0, left, 0, y, top};
    return then ? then->after(along_axes) : along_axes;
  }
  [[nodiscard]] affine map(double side) const { return map(side, side); }

  /// The transformed box, in pixels of a picture of a width; it may extend beyond the border. Turned, it is the box around the corners.
  [[nodiscard]] metrics::box operator()(metrics::box const& b, double width) const {
    double const left = across.mirrored ? width - b.x1 : b.x0, right = across.mirrored ? width - b.x0 : b.x1;
    metrics::box const moved{across.scale * left + across.shift, down.scale * b.y0 + down.shift, across.scale * right + across.shift,
                             down.scale * b.y1 + down.shift};
    if (!then) return moved;
    std::array const corners{(*then)(moved.x0, moved.y0), (*then)(moved.x1, moved.y0), (*then)(moved.x0, moved.y1),
                             (*then)(moved.x1, moved.y1)};
    metrics::box around{corners[0][0], corners[0][1], corners[0][0], corners[0][1]};
    for (auto const& [x, y] : corners) {
      around.x0 = std::min(around.x0, x), around.x1 = std::max(around.x1, x);
      around.y0 = std::min(around.y0, y), around.y1 = std::max(around.y1, y);
    }
    return around;
  }

  /// The picture of height * width * 3 bytes as it is seen: floats in 0 ... 255 with the colours changed, before gain and erasing.
  void picture(std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width, float* pixels) const {
    if (then)
      detail::warp(rgb, height, width, map(static_cast<double>(height), static_cast<double>(width)), detail::mean_colour, pixels);
    else
      resample(rgb, height, width, across, down, height, width, detail::mean_colour, pixels);
    for (auto const& each : colours) each({pixels, static_cast<std::size_t>(3 * height * width)}, height, width);
  }
  void picture(std::span<std::uint8_t const> rgb, std::int64_t side, float* pixels) const { picture(rgb, side, side, pixels); }
  /// Labels [side, side], moved as the picture is.
  template <class From, class To>
  void labels(From const* from, std::int64_t side, To outside, To* to) const {
    if (!then) return detail::nearest_labels(from, side, side, across, down, side, side, outside, to);
    affine const back = map(static_cast<double>(side)).inverse();
    auto const length = static_cast<double>(side);
    for (std::int64_t y = 0; y < side; ++y)
      for (std::int64_t x = 0; x < side; ++x) {
        auto const [u, v] = back(static_cast<double>(x) + .5, static_cast<double>(y) + .5);
        bool const inside = u >= 0 && u < length && v >= 0 && v < length;
        *to++             = inside ? static_cast<To>(from[static_cast<std::int64_t>(v) * side + static_cast<std::int64_t>(u)]) : outside;
      }
  }
  /// Sets the erased pixels of a normalised picture of a width to 0, the mean colour.
  void erase(std::int64_t width, float* pixels) const {
    if (!erased) return;
    auto const [top, left, rows, columns] = *erased;
    for (std::int64_t y = top; y < top + rows; ++y) std::fill_n(pixels + 3 * (y * width + left), 3 * columns, 0.f);
  }
};

namespace detail {

inline bool shows(view const& seen, std::span<metrics::box const> boxes, double height, double width) {
  return std::all_of(boxes.begin(), boxes.end(), [&](metrics::box const& b) {
    metrics::box const moved = seen(b, width);
    return moved.clipped(height, width).area() >= .25 * moved.area();
  });
}
inline void then_also(view& seen, affine const& map) { seen.then = seen.then ? map.after(*seen.then) : map; }

/// torchvision's ColorJitter: the four operations in a random order.
inline void draw_jitter(random_stream& draw, augmentation const& how, view& seen) {
  using enum colour_operation::what;
  std::array<colour_operation, 4> each;
  std::size_t count = 0;
  auto const add    = [&](colour_operation::what which, double centre, double range) {
    if (range > 0) each[count++] = {which, static_cast<float>(std::max(0.0, centre + range * (2 * draw.uniform() - 1)))};
  };
  add(brightness, 1, how.brightness), add(contrast, 1, how.contrast), add(saturation, 1, how.saturation);
  if (how.hue > 0) each[count++] = {hue, static_cast<float>(how.hue * (2 * draw.uniform() - 1))};
  for (; count > 0; --count) {
    std::swap(each[count - 1], each[draw.below(static_cast<std::uint32_t>(count))]);
    seen.colours.push_back(each[count - 1]);
  }
}

/// RandAugment with the operations and strengths of torchvision.
inline void draw_operations(random_stream& draw, augmentation const& how, std::span<metrics::box const> boxes, double height, double width,
                            view& seen) {
  using enum colour_operation::what;
  double const part = std::clamp(how.magnitude, 0.0, 30.0) / 30;
  for (int n = 0; n < how.operations; ++n) {
    std::uint32_t const which = draw.below(14);
    double const sign         = draw.below(2) == 1 ? -1 : 1;
    auto const move           = [&](affine const& map) {
      view moved = seen;
      then_also(moved, map);
      if (shows(moved, boxes, height, width)) seen = std::move(moved);
    };
    auto const colour = [&](colour_operation::what what, double strength) { seen.colours.push_back({what, static_cast<float>(strength)}); };
    switch (which) {
      case 0:
        break;  // identity
      case 1:
        move({.xy = sign * .3 * part});
        break;
      case 2:
        move({.yx = sign * .3 * part});
        break;
      case 3:
        move({.x0 = std::trunc(sign * 150.0 / 331 * part * width)});
        break;
      case 4:
        move({.y0 = std::trunc(sign * 150.0 / 331 * part * height)});
        break;
      case 5:
        move(affine::rotation(sign * 30 * part, width / 2, height / 2));
        break;
      case 6:
        colour(brightness, 1 + sign * .9 * part);
        break;
      case 7:
        colour(saturation, 1 + sign * .9 * part);
        break;
      case 8:
        colour(contrast, 1 + sign * .9 * part);
        break;
      case 9:
        colour(sharpness, 1 + sign * .9 * part);
        break;
      case 10:
        colour(posterize, 8 - std::nearbyint(part * 4));
        break;
      case 11:
        colour(solarize, 255 * (1 - part));
        break;
      case 12:
        colour(autocontrast, 1);
        break;
      default:
        colour(equalize, 1);
    }
  }
}

/// torchvision's RandomErasing: .02 to .33 of the area, an aspect ratio of .3 to 3.3.
inline void draw_erased(random_stream& draw, double probability, std::int64_t height, std::int64_t width, view& seen) {
  if (draw.uniform() > probability) return;
  for (int tries = 0; tries < 10; ++tries) {
    double const area       = static_cast<double>(height * width) * (.02 + .31 * draw.uniform());
    double const aspect     = std::exp(std::log(.3) + (std::log(3.3) - std::log(.3)) * draw.uniform());
    std::int64_t const rows = std::llround(std::sqrt(area * aspect)), columns = std::llround(std::sqrt(area / aspect));
    if (rows >= height || columns >= width) continue;
    std::int64_t const top  = draw.below(static_cast<std::uint32_t>(height - rows + 1)),
                       left = draw.below(static_cast<std::uint32_t>(width - columns + 1));
    seen.erased             = {top, left, rows, columns};
    return;
  }
}

}  // namespace detail

/// Draws a view in which at least a quarter of the area of every box is visible; after ten attempts one without scale, shift and rotation.
[[nodiscard]] inline view draw_view(random_stream& draw, augmentation const& how, std::span<metrics::box const> boxes, double height,
                                    double width) {
  auto const about = [&](double centre, double most) { return centre + most * (2 * draw.uniform() - 1); };
  view seen;
  seen.across.mirrored = how.flip && draw.below(2) == 1;
  for (float& g : seen.gain) g = static_cast<float>(about(1, how.gain));
  bool found = false;
  for (int tries = 0; tries < 10 && !found; ++tries) {
    auto const [least, most] = how.scales;
    seen.across.scale        = seen.down.scale =
        least > 0 && most >= least ? std::exp(std::log(least) + (std::log(most) - std::log(least)) * draw.uniform()) : about(1, how.scale);
    seen.across.shift = width * about((1 - seen.across.scale) / 2, how.shift);
    seen.down.shift   = height * about((1 - seen.down.scale) / 2, how.shift);
    if (how.rotate > 0) seen.then = affine::rotation(about(0, how.rotate), width / 2, height / 2);
    found = detail::shows(seen, boxes, height, width);
  }
  if (!found) {
    seen.across.scale = seen.down.scale = 1;
    seen.across.shift = seen.down.shift = 0;
    seen.then.reset();
  }
  if (how.brightness > 0 || how.contrast > 0 || how.saturation > 0 || how.hue > 0) detail::draw_jitter(draw, how, seen);
  if (how.operations > 0) detail::draw_operations(draw, how, boxes, height, width, seen);
  if (how.erase > 0) detail::draw_erased(draw, how.erase, std::llround(height), std::llround(width), seen);
  return seen;
}
/// Of a square.
[[nodiscard]] inline view draw_view(random_stream& draw, augmentation const& how, std::span<metrics::box const> boxes, double side) {
  return draw_view(draw, how, boxes, side, side);
}

/// Reads "flip,scale=.5:2,rotate=15,jitter=.4,rand=2:9,erase=.25": what is named, and nothing else; "none" is nothing, "default" what an
/// augmentation is without a text. Words: flip, shift=F, scale=F or scale=A:B, gain=F, rotate=DEGREES, brightness=F, contrast=F,
/// saturation=F, jitter=F (these three), hue=F, rand=N or rand=N:M, erase=P, crop=PIXELS (a shift, for pictures of `side` pixels).
[[nodiscard]] inline augmentation read_augmentation(std::string_view text, double side) {
  if (text == "default") return {};
  augmentation made{.flip = false, .scale = 0, .shift = 0, .gain = 0};
  if (text == "none") return made;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t const end = std::min(text.find(',', at), text.size()), equals = std::min(text.find('=', at), end);
    std::string_view const word = text.substr(at, end - at), name = text.substr(at, equals - at);
    std::string_view rest = equals < end ? text.substr(equals + 1, end - equals - 1) : std::string_view();
    std::vector<double> numbers;
    auto const fail = [&] {
      throw input_error("an augmentation has the word '" + text::printable(word, 60) +
                        "'; write flip, crop=4, shift=.1, scale=.5:2, gain=.1, rotate=15, jitter=.4, hue=.1, rand=2:9, erase=.25, or none");
    };
    while (!rest.empty()) {
      std::size_t const colon     = std::min(rest.find(':'), rest.size());
      std::string_view const part = rest.substr(0, colon);
      double number               = 0;
      auto const read             = std::from_chars(part.data(), part.data() + part.size(), number);
      if (read.ec != std::errc() || read.ptr != part.data() + part.size() || !(number >= 0 && number <= 1e4)) fail();
      numbers.push_back(number);
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    auto const one = [&](double most) {
      if (numbers.size() != 1 || numbers[0] > most) fail();
      return numbers[0];
    };
    if (name == "flip" && numbers.empty() && equals == end) {
      made.flip = true;
    } else if (name == "shift") {
      made.shift = one(1);
    } else if (name == "crop") {
      made.shift = one(side) / side;
    } else if (name == "scale") {
      if (numbers.size() == 2 && numbers[0] > 0 && numbers[1] >= numbers[0] && numbers[1] <= 100)
        made.scales = {numbers[0], numbers[1]};
      else
        made.scale = one(.9);
    } else if (name == "gain") {
      made.gain = one(1);
    } else if (name == "rotate") {
      made.rotate = one(180);
    } else if (name == "jitter") {
      made.brightness = made.contrast = made.saturation = one(1);
    } else if (name == "brightness") {
      made.brightness = one(1);
    } else if (name == "contrast") {
      made.contrast = one(1);
    } else if (name == "saturation") {
      made.saturation = one(1);
    } else if (name == "hue") {
      made.hue = one(.5);
    } else if (name == "rand") {
      if (numbers.size() == 2 && numbers[1] <= 30) made.magnitude = numbers[1], numbers.pop_back();
      if (one(14) != std::floor(one(14))) fail();
      made.operations = static_cast<int>(one(14));
    } else if (name == "erase") {
      made.erase = one(1);
    } else {
      fail();
    }
    at = end + 1;
  }
  return made;
}

}  // namespace c2f::data
