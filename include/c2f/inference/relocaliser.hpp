// c2f/inference/relocaliser.hpp: objects of a video that were hidden get their number back, by a Kalman filter of their motion.
//
//   c2f::panoptic::stitcher video({.divisor = 1000});
//   c2f::panoptic::relocaliser again({.divisor = 1000});
//   auto const frame = again.add(video.add(labels, next_labels), width);      // labels of frame t
//
// Stitching joins frames that follow each other, so an object that is hidden for one frame comes back with a new number. Here the centre of
// every object, the mean of its pixels, is tracked by a Kalman filter of constant velocity, whose state goes on while the object is not
// seen. An object with a new number is a lost one of its class if its centre is within `gate` standard deviations of where that is expected;
// pairs are joined from the nearest on, and each at most once (Qiao et al. 2021, ViP-DeepLab, for KITTI-MOTS).
//
// The filter (Kalman 1960), with position variance p, velocity variance v and covariance c, the same along y and x: a frame later p + 2c + v +
// a/4, v + a and c + v + a/2, a the square of `acceleration`; a measurement moves position and velocity by p/s and c/s of the error,
// s = p + noise², and leaves p - p²/s, v - c²/s, c - pc/s.
//
// Equal distances: the smaller label. Cost: one pass over a label map a frame. Errors: input_error for a map whose size is no multiple of the
// width, and for negative labels.
#pragma once

#include <c2f/metrics/segments.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace c2f::panoptic {

struct relocaliser_options {
  std::int64_t divisor  = 1000;
  std::int64_t patience = 3;  ///< frames after which an object that is not seen is forgotten
  double noise          = 1;  ///< standard deviation of a measured centre, pixels
  double speed          = 4;  ///< of the velocity of an object that was seen once, pixels a frame
  double acceleration   = 1;  ///< of the change of velocity, pixels a frame
  double gate           = 3;  ///< standard deviations
};

/// The state of an object: positions and velocities along y and x, in pixels, and their variances; see the top of this file.
struct kalman_state {
  std::array<double, 2> position{}, velocity{};
  double p, v, c = 0;

  kalman_state(std::array<double, 2> const& centre, relocaliser_options const& options)
      : position(centre), p(options.noise * options.noise), v(options.speed * options.speed) {}
  /// A frame later.
  void predict(relocaliser_options const& options) {
    double const a = options.acceleration * options.acceleration;
    for (std::size_t k = 0; k < 2; ++k) position[k] += velocity[k];
    p += 2 * c + v + a / 4, c += v + a / 2, v += a;
  }
  void update(std::array<double, 2> const& centre, relocaliser_options const& options) {
    double const s = p + options.noise * options.noise;
    for (std::size_t k = 0; k < 2; ++k) {
      double const error = centre[k] - position[k];
      position[k] += p / s * error, velocity[k] += c / s * error;
    }
    v -= c * c / s, c -= p * c / s, p -= p * p / s;
  }
  /// The squared distance of a centre, in variances of what is measured.
  [[nodiscard]] double distance(std::array<double, 2> const& centre, relocaliser_options const& options) const {
    double const y = centre[0] - position[0], x = centre[1] - position[1];
    return (y * y + x * x) / (p + options.noise * options.noise);
  }
};

class relocaliser {
 public:
  explicit relocaliser(relocaliser_options const& options = {}) : options_(options) {
    auto const& [divisor, patience, noise, speed, acceleration, gate] = options;
    if (divisor < 1 || patience < 0 || !(noise > 0) || !(speed >= 0) || !(acceleration >= 0) || !(gate > 0))
      throw input_error("a relocaliser cannot have divisor " + std::to_string(divisor) + ", patience " + std::to_string(patience) +
                        ", noise " + std::to_string(noise) + ", speed " + std::to_string(speed) + ", acceleration " +
                        std::to_string(acceleration) + " and gate " + std::to_string(gate) +
                        "; divisor, noise and gate are above 0, the others 0 or more");
  }

  /// labels: of the next frame, [H, width], with the numbers of the video, as of stitcher::add. Returns them with the numbers of the objects
  /// that are back.
  std::vector<std::int64_t> add(std::span<std::int64_t const> labels, std::int64_t width) {
    auto const centres = centres_of(labels, width);
    for (auto& [label, each] : tracks_) each.state.predict(options_), ++each.unseen;
    std::erase_if(tracks_, [&](auto const& each) { return each.second.unseen > options_.patience + 1; });
    bring_back(centres);
    for (auto const& [label, centre] : centres) {
      std::int64_t const name    = names_.try_emplace(label, label).first->second;
      auto const [place, is_new] = tracks_.try_emplace(name, centre, options_);
      if (!is_new) place->second.state.update(centre, options_);
      place->second.unseen = 0;
    }
    std::vector<std::int64_t> found(labels.begin(), labels.end());
    auto const rename = [&](std::size_t begin, std::size_t end) {
      if (auto const name = names_.find(labels[begin]); name != names_.end())
        std::fill(found.data() + begin, found.data() + end, name->second);
    };
    metrics::detail::for_each_run(rename, labels);
    return found;
  }
  /// The next frame belongs to another video.
  void end_sequence() { tracks_.clear(), names_.clear(); }

 private:
  using centre_list = std::map<std::int64_t, std::array<double, 2>>;
  struct track {
    kalman_state state;
    std::int64_t unseen = 0;
    track(std::array<double, 2> const& centre, relocaliser_options const& options) : state(centre, options) {}
  };

  [[nodiscard]] centre_list centres_of(std::span<std::int64_t const> labels, std::int64_t width) const {
    if (width < 1 || labels.size() % static_cast<std::size_t>(width) != 0)
      throw input_error("a frame of " + std::to_string(labels.size()) + " pixels has no rows of " + std::to_string(width) +
                        "; give the width of its label map");
    centre_list sums;
    std::map<std::int64_t, double> pixels;
    auto const columns = static_cast<std::size_t>(width);
    for (std::size_t y = 0; y * columns < labels.size(); ++y) {
      auto const row = labels.subspan(y * columns, columns);
      auto const add = [&](std::size_t begin, std::size_t end) {
        metrics::detail::check_label(row[begin]);
        if (row[begin] % options_.divisor == 0) return;
        auto const count = static_cast<double>(end - begin);
        auto& sum        = sums[row[begin]];
        sum[0] += count * static_cast<double>(y), sum[1] += count * static_cast<double>(begin + end - 1) / 2;
        pixels[row[begin]] += count;
      };
      metrics::detail::for_each_run(add, row);
    }
    for (auto& [label, sum] : sums) sum[0] /= pixels[label], sum[1] /= pixels[label];
    return sums;
  }
  // Names for objects with new numbers that are lost ones.
  void bring_back(centre_list const& centres) {
    std::vector<std::tuple<double, std::int64_t, std::int64_t>> pairs;  // distance, lost, new
    for (auto const& [label, centre] : centres) {
      if (names_.contains(label)) continue;
      for (auto const& [lost, each] : tracks_) {
        double const distance = each.state.distance(centre, options_);
        bool const is_seen    = std::ranges::any_of(centres, [&](auto const& other) {
          auto const name = names_.find(other.first);
          return name != names_.end() && name->second == lost;
        });
        if (!is_seen && lost / options_.divisor == label / options_.divisor && distance <= options_.gate * options_.gate)
          pairs.emplace_back(distance, lost, label);
      }
    }
    std::ranges::sort(pairs);
    std::vector<std::int64_t> back;
    for (auto const& [distance, lost, label] : pairs) {
      if (names_.contains(label) || std::ranges::find(back, lost) != back.end()) continue;
      names_[label] = lost;
      back.push_back(lost);
    }
  }

  relocaliser_options options_;
  std::map<std::int64_t, track> tracks_{};        ///< by the label that is returned
  std::map<std::int64_t, std::int64_t> names_{};  ///< of the labels that are given
};

}  // namespace c2f::panoptic
