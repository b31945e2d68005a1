// c2f/metrics/depth.hpp: the errors of depth maps.
//
//   c2f::metrics::depth_errors errors;
//   errors.add(true_depth, depth);                 // for every image: spans of one unit; pixels with a true depth of 0 are unknown
//   errors.mean().silog;                           // the mean over images
//   c2f::metrics::depth_inliers inliers({1.25, 1.1});
//   inliers.add(true_depth, depth);                // counts over all pixels
//
// With e = ln d̂ − ln d: SILog = 100 sqrt(mean e² − (mean e)²) (Eigen et al., NeurIPS 2014), absRel = mean |d̂ − d| / d, sqRel = mean
// ((d̂ − d) / d)², iRMSE = sqrt(mean (1 / d̂ − 1 / d)²), inliers: the fraction with max(d̂ / d, d / d̂) < 1.25 (KITTI; deeplab2). Units: absRel
// and sqRel are ratios, and KITTI's tables print them in per cent; iRMSE is in 1 / unit, and KITTI prints 1 / km.
//
// Cost: one pass, sums in double. Errors: input_error for maps of different sizes, and for a predicted depth that is not positive where the
// true one is known, since its logarithm is no number; depth_inliers counts such a pixel as an outlier.
#pragma once

#include <c2f/core/errors.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f::metrics {

/// Errors of one image, or means over images.
struct depth_scores {
  double silog = 0, absolute_relative = 0, squared_relative = 0, inverse_rmse = 0, inliers = 0;
};

namespace detail {
inline void check_depths(std::size_t truth, std::size_t depth) {
  if (truth != depth)
    throw input_error("a depth map of " + std::to_string(depth) + " pixels is compared with one of " + std::to_string(truth) +
                      "; compare maps of the same size");
}
}  // namespace detail

/// Means over images that have a known depth.
class depth_errors {
 public:
  template <class Truth, class Depth>
  void add(std::span<Truth const> truth, std::span<Depth const> depth) {
    detail::check_depths(truth.size(), depth.size());
    double log_sum = 0, log_squares = 0, absolute = 0, squared = 0, inverse = 0;
    std::int64_t known = 0, within = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      auto const d = static_cast<double>(truth[i]), found = static_cast<double>(depth[i]);
      if (!(d > 0)) continue;
      if (!(found > 0) || !std::isfinite(found))
        throw input_error("a predicted depth is " + std::to_string(found) + " at pixel " + std::to_string(i) + ", where the true one is " +
                          std::to_string(d) + "; depths are positive numbers");
      double const e = std::log(found) - std::log(d), relative = (found - d) / d, inverted = 1 / found - 1 / d;
      log_sum += e, log_squares += e * e, absolute += std::abs(relative), squared += relative * relative, inverse += inverted * inverted;
      within += std::max(found / d, d / found) < 1.25;
      ++known;
    }
    if (known == 0) return;
    auto const n = static_cast<double>(known);
    sum_.silog += 100 * std::sqrt(std::max(0.0, log_squares / n - log_sum / n * (log_sum / n)));
    sum_.absolute_relative += absolute / n, sum_.squared_relative += squared / n, sum_.inverse_rmse += std::sqrt(inverse / n);
    sum_.inliers += static_cast<double>(within) / n;
    ++images_;
  }
  void add(depth_errors const& other) {
    sum_.silog += other.sum_.silog, sum_.absolute_relative += other.sum_.absolute_relative;
    sum_.squared_relative += other.sum_.squared_relative, sum_.inverse_rmse += other.sum_.inverse_rmse, sum_.inliers += other.sum_.inliers;
    images_ += other.images_;
  }
  /// NaN if no image has a known depth.
  [[nodiscard]] depth_scores mean() const {
    auto const n = static_cast<double>(images_);
    return {sum_.silog / n, sum_.absolute_relative / n, sum_.squared_relative / n, sum_.inverse_rmse / n, sum_.inliers / n};
  }
  [[nodiscard]] std::int64_t images() const { return images_; }

 private:
  depth_scores sum_;
  std::int64_t images_ = 0;
};

/// Counts of pixels whose depth is within a ratio of the true one, max(d̂ / d, d / d̂) <= ratio.
class depth_inliers {
 public:
  explicit depth_inliers(std::vector<double> ratios) : ratios_(std::move(ratios)), within_(ratios_.size()) {
    for (double const each : ratios_)
      if (!(each >= 1))
        throw input_error("depth inliers within a ratio of " + std::to_string(each) + "; a ratio is 1 or more, such as 1.25");
  }
  template <class Truth, class Depth>
  void add(std::span<Truth const> truth, std::span<Depth const> depth) {
    detail::check_depths(truth.size(), depth.size());
    for (std::size_t i = 0; i < truth.size(); ++i) {
      auto const d = static_cast<double>(truth[i]), found = static_cast<double>(depth[i]);
      if (!(d > 0)) continue;
      ++known_;
      if (!(found > 0)) continue;
      double const ratio = std::max(found / d, d / found);
      for (std::size_t k = 0; k < ratios_.size(); ++k) within_[k] += ratio <= ratios_[k];
    }
  }
  void add(depth_inliers const& other) {
    if (ratios_ != other.ratios_) throw input_error("depth inliers of other ratios are added; add counts of the same ratios");
    for (std::size_t k = 0; k < within_.size(); ++k) within_[k] += other.within_[k];
    known_ += other.known_;
  }
  /// A fraction for each ratio; 0 if no depth is known.
  [[nodiscard]] std::vector<double> fractions() const {
    std::vector<double> found;
    for (std::int64_t const each : within_) found.push_back(known_ == 0 ? 0 : static_cast<double>(each) / static_cast<double>(known_));
    return found;
  }

 private:
  std::vector<double> ratios_;
  std::vector<std::int64_t> within_;
  std::int64_t known_ = 0;
};

}  // namespace c2f::metrics
