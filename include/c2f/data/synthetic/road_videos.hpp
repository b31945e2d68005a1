// c2f/data/synthetic/road_videos.hpp: synthetic videos of a road: vehicles with numbers that last, occlusion and depth.
//
//   c2f::data::road_videos<48, 64> const roads({.train = 400, .test = 20});      // videos of seven frames
//   c2f::data::road_frame const frame = roads.test.frame(3, 0);                  // of the fourth video: picture, labels, depth
//   c2f::data::panoptic_pairs const train(roads.train, {.things = {3, 4}, .sigma = 2});      // what a network is trained on
//
// A sample is a pair of frames t and t + 1, side by side as six channels. Its truth is float {3, H, W}: the labels of both frames, class *
// 1000 + number, and the depth of frame t in metres, 0 where it is unknown. A video of F frames has F - 1 pairs; their order is that of the
// videos.
//
// Classes: 0 road, 1 sky, 2 structures (houses, and posts in front of everything), which are stuff; 3 car, 4 truck. A camera above the road
// sees three to six vehicles from the side, each in a lane of its own. A vehicle moves by .6 to 1.4 of its length a frame, enters and leaves
// the picture, and is hidden by nearer ones and by posts. Depth follows the perspective of the road; the sky has none. A frame is a pure
// function of (seed, training or test, video, frame).
//
// Augmentation mirrors both frames with probability 1/2 and gives them one brightness and contrast.
//
// Cost: a frame is drawn when it is read, about .2 ms at 48 x 64; nothing is kept. Errors: input_error for less than one video or two
// frames, and for a video or frame that is not there.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f::data {

struct road_video_options {
  std::int64_t train = 1600, test = 40;  ///< videos
  std::int64_t frames = 7;               ///< of each
  std::uint64_t seed  = 1;
};

/// Row by row, [H, W].
struct road_frame {
  std::vector<std::uint8_t> picture;  ///< RGB
  std::vector<std::int64_t> labels;   ///< class * 1000 + number; stuff has number 0
  std::vector<float> depth;           ///< metres; 0 where it is unknown
};

namespace detail::roads {

inline constexpr std::int64_t divisor = 1000;
enum what : std::int64_t { road, sky, structure, car, truck };
using tint = std::array<float, 3>;

struct vehicle {
  std::int64_t label;
  float base, length, height;  ///< pixels; base: the row of its wheels
  float depth;
  float x, speed;  ///< of its middle in frame 0, pixels; pixels a frame
  tint body;
};
struct block {
  float left, right, top, base;
  tint colour;
};

/// What is the same in all frames of a video.
struct scene {
  float horizon, metres;  ///< depth = metres / (row - horizon)
  tint road, sky;
  std::vector<block> houses, posts;
  std::vector<vehicle> vehicles;  ///< from far to near
};

inline constexpr float farthest = 80;

inline scene make_scene(std::int64_t height, std::int64_t width, std::int64_t frames, random_stream draw) {
  auto const between = [&](float low, float high) { return low + (high - low) * static_cast<float>(draw.uniform()); };
  auto const colour  = [&](float low, float high) { return tint{between(low, high), between(low, high), between(low, high)}; };
  auto const rows = static_cast<float>(height), columns = static_cast<float>(width);
  scene made{
      .horizon = rows * between(.24f, .36f), .metres = 160 * rows / 48, .road = {}, .sky = {}, .houses = {}, .posts = {}, .vehicles = {}};
  float const grey = between(80, 130);
  made.road        = {grey, grey, grey - 8};
  made.sky         = {between(110, 150), between(160, 190), between(210, 245)};
  for (float left = -between(0, .1f) * columns; left < columns;) {
    float const right = left + columns * between(.08f, .25f);
    if (draw.below(4) != 0) made.houses.push_back({left, right, made.horizon * between(.3f, .85f), made.horizon, colour(60, 150)});
    left = right + columns * between(0, .05f);
  }
  for (auto n = draw.below(3); n > 0; --n) {
    float const left = columns * between(.1f, .9f);
    made.posts.push_back({left, left + columns / 32, 0, rows, colour(40, 70)});
  }
  // A lane is a slot of its own below the horizon; few of them are used, the far ones first.
  constexpr int lanes = 7;
  std::array<std::uint32_t, lanes> order{};
  for (std::uint32_t i = 0; i < lanes; ++i) order[i] = i;
  for (std::uint32_t i = lanes - 1; i > 0; --i) std::swap(order[i], order[draw.below(i + 1)]);
  std::size_t const count = 3 + draw.below(4);
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<std::int64_t> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<std::int64_t>(i) + 1;
  for (std::size_t i = 0; i < count; ++i) {
    bool const is_truck = draw.below(3) == 0;
    float const first = 9 * rows / 48, last = rows - 1 - made.horizon;
    float const below  = first + (last - first) * (static_cast<float>(order[i]) + between(.1f, .9f)) / lanes;
    float const length = below * (is_truck ? between(.65f, .9f) : between(.4f, .55f)), tall = below * (is_truck ? .42f : .3f);
    float const speed = length * between(.6f, 1.4f) * (draw.below(2) == 0 ? 1.f : -1.f);
    float const when = between(0, static_cast<float>(frames - 1)), where = columns * between(.1f, .9f);
    tint body           = colour(20, 240);
    body[draw.below(3)] = between(0, 1) < .5f ? 25.f : 235.f;  // no grey ones
    made.vehicles.push_back({.label  = (is_truck ? truck : car) * divisor + numbers[i],
                             .base   = made.horizon + below,
                             .length = length,
                             .height = tall,
                             .depth  = std::min(farthest, made.metres / below),
                             .x      = where - when * speed,
                             .speed  = speed,
                             .body   = body});
  }
  return made;
}

/// What of a vehicle is at (u, v), 0 ... 1 from tail to front and from top to wheels; null: nothing.
inline tint const* part_at(vehicle const& one, float u, float v) {
  static constexpr tint glass{150, 195, 225}, tyre{20, 20, 22}, lamp{250, 235, 130}, box{225, 225, 215};
  auto const wheel = [&](float at) { return std::hypot((u - at) * one.length, (v - .84f) * one.height) < .2f * one.height; };
  if (v > .6f && (wheel(.22f) || wheel(.8f))) return &tyre;
  if (v > .9f) return nullptr;
  if (one.label / divisor == truck) {
    if (u < .68f) return v < .7f ? &one.body : &tyre;
    if (v < .25f) return nullptr;
    return v < .5f && u > .8f ? &glass : &box;
  }
  if (v > .42f) return u > .93f && v < .65f ? &lamp : &one.body;
  float const lean = (.42f - v) * .45f;
  if (u < .15f + lean || u > .8f - lean) return nullptr;
  return v > .12f && u > .2f + lean && u < .74f - lean ? &glass : &one.body;
}

inline road_frame draw_frame(scene const& of, std::int64_t height, std::int64_t width, std::int64_t t, random_stream noise) {
  auto const pixels = static_cast<std::size_t>(height * width);
  road_frame made{std::vector<std::uint8_t>(3 * pixels), std::vector<std::int64_t>(pixels), std::vector<float>(pixels)};
  std::vector<tint> colours(pixels);
  auto const put = [&](std::int64_t y, std::int64_t x, tint const& colour, std::int64_t label, float depth) {
    auto const at = static_cast<std::size_t>(y * width + x);
    colours[at] = colour, made.labels[at] = label, made.depth[at] = depth;
  };
  auto const fill = [&](block const& one, float depth) {
    for (auto y = static_cast<std::int64_t>(std::max(0.f, std::ceil(one.top)));
         y < std::min(height, static_cast<std::int64_t>(std::ceil(one.base))); ++y)
      for (auto x = static_cast<std::int64_t>(std::max(0.f, std::ceil(one.left)));
           x < std::min(width, static_cast<std::int64_t>(std::ceil(one.right))); ++x)
        put(y, x, one.colour, structure * divisor, depth);
  };
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      float const below = static_cast<float>(y) + .5f - of.horizon;
      if (below <= 0)
        put(y, x, of.sky, sky * divisor, 0);
      else
        put(y, x, of.road, road * divisor, std::min(farthest, of.metres / below));
    }
  for (block const& one : of.houses) fill(one, farthest);
  for (vehicle const& one : of.vehicles) {
    float const left = one.x + static_cast<float>(t) * one.speed - one.length / 2, top = one.base - one.height;
    for (auto y = static_cast<std::int64_t>(std::max(0.f, top)); y < height; ++y)
      for (auto x = static_cast<std::int64_t>(std::max(0.f, left)); x < width; ++x) {
        float const u = (static_cast<float>(x) + .5f - left) / one.length, v = (static_cast<float>(y) + .5f - top) / one.height;
        if (u < 0 || v < 0) continue;
        if (u > 1 || v > 1) break;
        if (tint const* const colour = part_at(one, one.speed > 0 ? u : 1 - u, v); colour != nullptr)
          put(y, x, *colour, one.label, one.depth);
      }
  }
  for (block const& one : of.posts) fill(one, of.metres / (static_cast<float>(height) - of.horizon));
  for (std::size_t i = 0; i < pixels; ++i) {
    std::uint32_t const bits = noise.bits();
    for (std::size_t c = 0; c < 3; ++c) {
      auto const added        = static_cast<float>(bits >> (8 * c) & 255u) / 255.f * 20 - 10;
      made.picture[3 * i + c] = static_cast<std::uint8_t>(std::clamp(colours[i][c] + added, 0.f, 255.f));
    }
  }
  return made;
}

}  // namespace detail::roads

/// The training or the test split; see the top of this file.
template <int Height, int Width>
class road_video_split {
 public:
  using image       = c2f::image<6, Height, Width>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 3> truth_dims{3, Height, Width};

  road_video_split(std::string name, std::uint64_t which, std::int64_t videos, road_video_options const& options)
      : name_(std::move(name)), which_(which), videos_(videos), frames_(options.frames), seed_(options.seed) {
    if (videos < 1 || options.frames < 2)
      throw input_error(std::to_string(videos) + " road videos of " + std::to_string(options.frames) +
                        " frames cannot be made; ask for one video or more, of two frames or more");
  }

  [[nodiscard]] std::int64_t size() const { return videos_ * (frames_ - 1); }
  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] std::uint64_t fingerprint() const { return hash_of(name_ + ' ' + std::to_string(frames_) + ' ' + std::to_string(seed_)); }
  [[nodiscard]] std::int64_t videos() const { return videos_; }
  [[nodiscard]] std::int64_t frames() const { return frames_; }

  /// Frame t of a video.
  [[nodiscard]] road_frame frame(std::int64_t video, std::int64_t t) const {
    if (video < 0 || video >= videos_ || t < 0 || t >= frames_)
      throw input_error("there is no frame " + std::to_string(t) + " of road video " + std::to_string(video) + "; there are " +
                        std::to_string(videos_) + " videos of " + std::to_string(frames_) + " frames, from 0");
    auto const number = static_cast<std::uint64_t>(video);
    auto const scene  = detail::roads::make_scene(Height, Width, frames_, {seed_, purpose::synthesis, which_, number});
    return detail::roads::draw_frame(scene, Height, Width, t,
                                     {seed_, purpose::synthesis, which_ + 2 * (static_cast<std::uint64_t>(t) + 1), number});
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    bool const mirrored = augment != nullptr && augment->below(2) == 1;
    float gain = 1, shift = 0;
    if (augment != nullptr) {
      gain  = .8f + .4f * static_cast<float>(augment->uniform());
      shift = .4f * static_cast<float>(augment->uniform()) - .2f;
    }
    road_frame const pair[]     = {frame(id / (frames_ - 1), id % (frames_ - 1)), frame(id / (frames_ - 1), id % (frames_ - 1) + 1)};
    constexpr std::size_t plane = std::size_t{Height} * Width;
    for (std::size_t y = 0, at = 0; y < Height; ++y)
      for (std::size_t x = 0; x < Width; ++x, ++at) {
        std::size_t const from = y * Width + (mirrored ? Width - 1 - x : x);
        for (road_frame const& each : pair)
          for (std::size_t c = 0; c < 3; ++c) *pixels++ = gain * normalised(each.picture[3 * from + c]) + shift;
        truth[at]             = static_cast<float>(pair[0].labels[from]);
        truth[plane + at]     = static_cast<float>(pair[1].labels[from]);
        truth[2 * plane + at] = pair[0].depth[from];
      }
  }
  /// A value of a network's input, from a byte of a picture.
  [[nodiscard]] static float normalised(std::uint8_t byte) { return static_cast<float>(byte) / 127.5f - 1; }

 private:
  std::string name_;
  std::uint64_t which_;
  std::int64_t videos_, frames_;
  std::uint64_t seed_;
};

/// The two splits.
template <int Height = 48, int Width = 64>
struct road_videos {
  static constexpr std::int64_t classes = 5, divisor = detail::roads::divisor;
  static constexpr std::array<char const*, 5> class_names{"road", "sky", "structure", "car", "truck"};
  static constexpr std::array<std::int64_t, 2> things{3, 4};

  explicit road_videos(road_video_options const& options = {})
      : train("road videos, training", 0, options.train, options), test("road videos, test", 1, options.test, options) {}

  road_video_split<Height, Width> train, test;
};

}  // namespace c2f::data
