// Augmentation: boxes and masks move exactly as pixels do, nothing is drawn for what is off, and all is a function of the stream.
#include <c2f/data/augment.hpp>
#include <c2f/data/datasets/class_folders.hpp>
#include <c2f/data/datasets/mask_folders.hpp>
#include <c2f/data/datasets/voc.hpp>
#include <c2f/data/loader.hpp>

#include <cmath>
#include <map>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using namespace c2f::data;
using c2f::metrics::box;
using bytes = std::vector<std::uint8_t>;

constexpr std::int64_t side = 64;
c2f::random_stream stream(std::uint64_t id) { return {7, c2f::purpose::augment, 3, id}; }

/// White in the box, black elsewhere.
bytes drawn(box const& b) {
  bytes rgb(3 * side * side);
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      if (static_cast<double>(x) >= b.x0 && static_cast<double>(x) < b.x1 && static_cast<double>(y) >= b.y0 &&
          static_cast<double>(y) < b.y1)
        std::fill_n(rgb.begin() + 3 * (y * side + x), 3, std::uint8_t{255});
  return rgb;
}
/// The box around the pixels that are lighter than the padding could be.
box found_in(std::vector<float> const& pixels) {
  box around{1e9, 1e9, -1e9, -1e9};
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      if (pixels[static_cast<std::size_t>(3 * (y * side + x))] > 140) {
        auto const left = static_cast<double>(x), top = static_cast<double>(y);
        around = {std::min(around.x0, left), std::min(around.y0, top), std::max(around.x1, left + 1), std::max(around.y1, top + 1)};
      }
  return around;
}
bytes noise(std::uint64_t seed = 1) {
  bytes rgb(3 * side * side);
  c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, 0};
  for (auto& each : rgb) each = static_cast<std::uint8_t>(draw.below(256));
  return rgb;
}
bool is_identity(affine const& map) {
  double worst = 0;
  for (double const each : {map.xx - 1, map.xy, map.x0, map.yx, map.yy - 1, map.y0}) worst = std::max(worst, std::abs(each));
  return worst < 1e-12;
}

augmentation const moving{.flip = true, .scale = .3, .shift = .1, .gain = 0, .rotate = 40};
augmentation const along_axes{.flip = true, .scale = .3, .shift = .1, .gain = 0};
augmentation const by_operations{.flip = false, .scale = 0, .shift = 0, .gain = 0, .operations = 3, .magnitude = 20};

}  // namespace

TEST_CASE("A box that is drawn into the picture is found where the view says that it is", "[augment]") {
  box const whole{20, 26, 44, 36};
  bytes const rgb = drawn(whole);
  std::vector<float> pixels(3 * side * side);
  int turned = 0, checked = 0;
  for (augmentation how : {moving, along_axes, by_operations, augmentation{.scales = {.5, 1.5}, .rotate = 180}}) {
    for (std::uint64_t id = 0; id < 100; ++id) {
      c2f::random_stream draw = stream(id);
      view seen               = draw_view(draw, how, {&whole, 1}, side);
      seen.colours.clear();  // they would change what is light
      box const said = seen(whole, side), shown = said.clipped(side);
      REQUIRE(shown.area() >= .25 * said.area());
      if (shown != said) continue;  // a part is outside, and the box around the rest is another one
      seen.picture(rgb, side, pixels.data());
      box const is = found_in(pixels);
      CAPTURE(id, said.x0, said.y0, said.x1, said.y1, is.x0, is.y0, is.x1, is.y1);
      // Along the axes half a pixel is half covered. A corner that is turned covers less of its pixel.
      double const within = seen.then ? 2 : 1;
      for (double const off : {said.x0 - is.x0, said.y0 - is.y0, said.x1 - is.x1, said.y1 - is.y1}) REQUIRE(std::abs(off) <= within);
      turned += seen.then.has_value(), ++checked;
    }
  }
  REQUIRE(checked > 250);
  REQUIRE(turned > 150);
}

TEST_CASE("Masks move exactly as pixels do", "[augment]") {
  // A picture of blocks of 8 x 8 pixels, black or white, and the same as labels.
  bytes rgb(3 * side * side), labels(side * side);
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x) {
      std::uint8_t const light                       = (x / 8 * 7 + y / 8 * 5) % 3 == 0;
      labels[static_cast<std::size_t>(y * side + x)] = light;
      std::fill_n(rgb.begin() + 3 * (y * side + x), 3, static_cast<std::uint8_t>(255 * light));
    }
  std::vector<float> pixels(3 * side * side);
  std::vector<std::int64_t> moved(side * side);
  for (augmentation const& how : {moving, along_axes, by_operations}) {
    std::int64_t clear = 0, padded = 0;
    for (std::uint64_t id = 0; id < 50; ++id) {
      c2f::random_stream draw = stream(id);
      view seen               = draw_view(draw, how, {}, side);
      seen.colours.clear();
      seen.picture(rgb, side, pixels.data());
      seen.labels(labels.data(), side, std::int64_t{255}, moved.data());
      affine const back = seen.map(side).inverse();
      for (std::int64_t i = 0; i < side * side; ++i) {
        float const value        = pixels[static_cast<std::size_t>(3 * i)];
        std::int64_t const label = moved[static_cast<std::size_t>(i)];
        auto const [u, v]        = back(static_cast<double>(i % side) + .5, static_cast<double>(i / side) + .5);
        bool const inside        = u >= 0 && v >= 0 && u < side && v < side;
        REQUIRE((label == 255) == !inside);
        if (inside) REQUIRE(label == labels[static_cast<std::size_t>(static_cast<std::int64_t>(v) * side + static_cast<std::int64_t>(u))]);
        padded += !inside;
        if (inside && (value < 1 || value > 254)) {
          REQUIRE(label == (value > 254));
          ++clear;
        }
        if (!inside) REQUIRE(value == 124);
      }
    }
    REQUIRE(clear > 50 * side * side / 3);
    REQUIRE(padded > 0);
  }
}

TEST_CASE("Maps are undone by their inverse, and quarter turns are exact", "[augment]") {
  for (std::uint64_t id = 0; id < 50; ++id) {
    c2f::random_stream draw = stream(id);
    affine const map        = draw_view(draw, {.scales = {.4, 2}, .rotate = 180, .operations = 2}, {}, side).map(side);
    REQUIRE(is_identity(map.after(map.inverse())));
    REQUIRE(is_identity(map.inverse().after(map)));
  }
  REQUIRE(is_identity(affine::rotation(77, 3, 4).after(affine::rotation(-77, 3, 4))));
  bytes const rgb = noise();
  std::vector<float> pixels(3 * side * side);
  view{}.picture(rgb, side, pixels.data());
  for (std::size_t i = 0; i < rgb.size(); ++i) REQUIRE(pixels[i] == rgb[i]);
  view quarter;
  quarter.then = affine::rotation(90, side / 2., side / 2.);
  quarter.picture(rgb, side, pixels.data());
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)  // counter-clockwise: the right column becomes the top row
      REQUIRE(std::abs(pixels[static_cast<std::size_t>(3 * (y * side + x))] -
                       rgb[static_cast<std::size_t>(3 * (x * side + side - 1 - y))]) < 1e-3f);
  // A mirrored view along the axes and the same by a map.
  view mirrored, other;
  mirrored.across.mirrored = true;
  other.then               = affine{-1, 0, side, 0, 1, 0};
  std::vector<float> also(pixels.size());
  mirrored.picture(rgb, side, pixels.data());
  other.picture(rgb, side, also.data());
  for (std::size_t i = 0; i < also.size(); ++i) REQUIRE(std::abs(pixels[i] - also[i]) < 1e-3f);
  REQUIRE(mirrored(box{1, 2, 10, 20}, side) == other(box{1, 2, 10, 20}, side));
}

TEST_CASE("What is off draws nothing: the default is drawn as it was", "[augment]") {
  for (std::uint64_t id = 0; id < 200; ++id) {
    c2f::random_stream draw = stream(id), by_hand = draw;
    view const seen  = draw_view(draw, {}, {}, side);
    auto const about = [&](double centre, double most) { return centre + most * (2 * by_hand.uniform() - 1); };
    REQUIRE(seen.across.mirrored == (by_hand.below(2) == 1));
    for (float const each : seen.gain) REQUIRE(each == static_cast<float>(about(1, .1)));
    double const scale = about(1, .2);
    REQUIRE(seen.across.scale == scale);
    REQUIRE(seen.down.scale == scale);
    REQUIRE(seen.across.shift == side * about((1 - scale) / 2, .1));
    REQUIRE(seen.down.shift == side * about((1 - scale) / 2, .1));
    REQUIRE((!seen.then && seen.colours.empty() && !seen.erased));
    REQUIRE(draw.bits() == by_hand.bits());
  }
}

TEST_CASE("Rectangles are shifted and turned by their own sides", "[augment]") {
  constexpr double high = 40, wide = 90;
  for (std::uint64_t id = 0; id < 50; ++id) {
    c2f::random_stream draw = stream(id), square = stream(id);
    augmentation const how{.rotate = 30, .erase = 1};
    view const seen = draw_view(draw, how, {}, high, wide), other = draw_view(square, how, {}, wide);
    REQUIRE(seen.across == other.across);
    REQUIRE(seen.down.shift == Approx(other.down.shift * high / wide));
    auto const [x, y] = (*seen.then)(wide / 2, high / 2);
    REQUIRE((x == Approx(wide / 2) && y == Approx(high / 2)));
    if (!seen.erased) continue;
    auto const [top, left, rows, columns] = *seen.erased;
    REQUIRE((top >= 0 && left >= 0 && top + rows <= 40 && left + columns <= 90));
  }
  // A white square in a black rectangle is where its box goes.
  constexpr std::int64_t rows = 40, columns = 90;
  std::vector<std::uint8_t> rgb(3 * rows * columns);
  box const at{50, 10, 70, 26};
  for (std::int64_t y = 10; y < 26; ++y)
    for (std::int64_t x = 50; x < 70; ++x) std::fill_n(rgb.data() + 3 * (y * columns + x), 3, std::uint8_t{255});
  std::vector<float> pixels(rgb.size());
  for (bool const turned : {false, true})
    for (std::uint64_t id = 0; id < 20; ++id) {
      c2f::random_stream draw = stream(id);
      view const seen         = draw_view(draw, {.scale = .3, .shift = .05, .rotate = turned ? 20. : 0}, {&at, 1}, high, wide);
      seen.picture(rgb, rows, columns, pixels.data());
      double weight = 0, across = 0, down = 0;
      for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < columns; ++x)
          if (float const value = pixels[static_cast<std::size_t>(3 * (y * columns + x))]; value > 150)
            ++weight, across += static_cast<double>(x) + .5, down += static_cast<double>(y) + .5;
      box const there = seen(at, wide);
      if (there != there.clipped(high, wide)) continue;
      REQUIRE(std::abs(across / weight - there.centre_x()) < 1);
      REQUIRE(std::abs(down / weight - there.centre_y()) < 1);
    }
}

TEST_CASE("What is drawn stays in its ranges and uses them", "[augment]") {
  using op = colour_operation::what;
  std::map<int, int> operations;
  double most = 0, least = 9, hue = 0, turn = 0;
  int erased = 0, moved = 0;
  std::map<int, int> first;
  augmentation const how{.scale = 0, .shift = 0, .rotate = 15, .brightness = .4, .contrast = .2, .saturation = .3, .hue = .1, .erase = .25};
  for (std::uint64_t id = 0; id < 2000; ++id) {
    c2f::random_stream draw = stream(id);
    view const seen         = draw_view(draw, how, {}, side);
    REQUIRE(seen.colours.size() == 4);
    ++first[seen.colours[0].which];
    for (auto const& [which, strength] : seen.colours) {
      double const range = which == op::brightness ? .4 : which == op::contrast ? .2 : which == op::saturation ? .3 : .1;
      double const off   = which == op::hue ? strength : static_cast<double>(strength) - 1;
      REQUIRE(std::abs(off) <= range + 1e-6);
      if (which == op::brightness) most = std::max(most, off), least = std::min(least, off);
      if (which == op::hue) hue = std::max(hue, off);
    }
    double const degrees = std::asin(seen.then->xy) * 180 / std::numbers::pi;
    REQUIRE(std::abs(degrees) <= 15 + 1e-9);
    turn = std::max(turn, degrees);
    if (seen.erased) {
      ++erased;
      auto const [top, left, height, width] = *seen.erased;
      REQUIRE((top >= 0 && left >= 0 && top + height <= side && left + width <= side));
      double const part = static_cast<double>(height * width) / (side * side);
      REQUIRE((part > .01 && part < .36));
    }
    c2f::random_stream again = stream(id);
    view const randomly      = draw_view(again, {.flip = false, .scale = 0, .shift = 0, .operations = 1, .magnitude = 9}, {}, side);
    moved += randomly.then.has_value();
    for (auto const& each : randomly.colours) ++operations[each.which];
  }
  REQUIRE((most > .39 && least < -.39 && hue > .098 && turn > 14.8));
  REQUIRE(std::abs(erased - 500) < 80);
  for (auto const& [which, count] : first) REQUIRE(std::abs(count - 500) < 100);  // every order
  // 14 operations: one is none, five move, and one is hue's of the others: eight change colours.
  REQUIRE(operations.size() == 8);
  for (auto const& [which, count] : operations) REQUIRE(std::abs(count - 2000 / 14) < 45);
  REQUIRE(std::abs(moved - 2000 * 5 / 14) < 90);
}

TEST_CASE("Erasing sets pixels to the mean colour and nothing else", "[augment]") {
  bytes const rgb = noise();
  std::vector<float> with(3 * side * side), without(with.size());
  for (std::uint64_t id = 0; id < 20; ++id) {
    c2f::random_stream draw = stream(id);
    view seen               = draw_view(draw, {.erase = 1}, {}, side);
    REQUIRE(seen.erased);
    seen_picture(seen, rgb, side, with.data());
    auto const [top, left, height, width] = *seen.erased;
    seen.erased.reset();
    seen_picture(seen, rgb, side, without.data());
    for (std::int64_t i = 0; i < 3 * side * side; ++i) {
      std::int64_t const y = i / 3 / side, x = i / 3 % side;
      bool const within = y >= top && y < top + height && x >= left && x < left + width;
      REQUIRE(with[static_cast<std::size_t>(i)] == (within ? 0.f : without[static_cast<std::size_t>(i)]));
    }
  }
}

namespace {
std::vector<float> epoch_of(auto const& split, int threads) {
  std::vector<float> all;
  for (auto const& batch : c2f::data::loader(split, {.batch = 5, .seed = 3, .threads = threads}).epoch(2)) {
    at::Tensor const x = batch.images.permute({0, 2, 3, 1}).contiguous(), y = batch.truth.to(at::kFloat).contiguous();
    all.insert(all.end(), x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel());
    all.insert(all.end(), y.const_data_ptr<float>(), y.const_data_ptr<float>() + y.numel());
  }
  return all;
}
}  // namespace

TEST_CASE("Every split of squares is augmented alike with any number of threads", "[augment]") {
  augmentation const all{.scales = {.7, 1.4}, .rotate = 30, .brightness = .4, .hue = .1, .operations = 2, .erase = .5};
  auto const budget = std::make_shared<std::atomic<std::int64_t>>(1 << 24);
  std::vector<classified_name> names;
  std::vector<std::string> mask_names;
  for (int i = 0; i < 12; ++i) names.push_back({std::to_string(i), i % 2}), mask_names.push_back(std::to_string(i));
  auto const photo = [](std::size_t i) { return picture_bytes{side, side, noise(i + 1)}; };
  classified_pictures<side> const classes("classes", names, {"a", "b"}, photo, resizing::crop, all, budget);
  masked_pictures<side> const masks(
      "masks", mask_names,
      [&](std::size_t i) {
        label_bytes mask{side, side, bytes(side * side)};
        for (std::int64_t k = 0; k < side * side; ++k) mask.labels[static_cast<std::size_t>(k)] = k % side < side / 2 ? 0 : 1;
        return masked_picture{photo(i), mask};
      },
      mask_table::numbered({"left", "right"}), all, budget);
  auto const one = epoch_of(classes, 0);
  REQUIRE(one == epoch_of(classes, 3));
  REQUIRE(epoch_of(masks, 0) == epoch_of(masks, 3));
  // A picture is normalised with gain; erased pixels are 0 in it.
  REQUIRE(std::count(one.begin(), one.end(), 0.f) > 100);
}

TEST_CASE("Augmentation by a text", "[augment]") {
  auto const all = read_augmentation("flip,scale=.5:2,rotate=15,jitter=.4,hue=.1,rand=2:12,erase=.25,gain=.05,crop=4", 32);
  REQUIRE(all.flip);
  REQUIRE(all.scales == std::array{.5, 2.0});
  REQUIRE((all.rotate == 15 && all.brightness == .4 && all.contrast == .4 && all.saturation == .4 && all.hue == .1));
  REQUIRE((all.operations == 2 && all.magnitude == 12 && all.erase == .25 && all.gain == .05 && all.shift == .125 && all.scale == 0));
  auto const none = read_augmentation("none", 32);
  REQUIRE((!none.flip && none.scale == 0 && none.shift == 0 && none.gain == 0));
  REQUIRE(read_augmentation("default", 32).scale == .2);
  REQUIRE(read_augmentation("scale=.3,rand=1", 32).scale == .3);
  for (char const* wrong : {"", "flop", "flip=1", "rotate", "rotate=x", "rotate=1e9", "rotate=-3", "scale=2:1", "scale=0:1", "erase=2",
                            "rand=2:40", "flip,,erase=.1", "hue=.7", "jitter=.4:.5", "shift=.1:", "crop=40", "scale=.5:225", "rand=2.5"}) {
    CAPTURE(wrong);
    auto const message = tests::refusal([&] { (void)read_augmentation(wrong, 32); });
    if (std::string(wrong) != "shift=.1:") tests::require_message(message, {"an augmentation has the word"});
  }
}
