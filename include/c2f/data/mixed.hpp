// c2f/data/mixed.hpp: mixup, cutmix, label smoothing and class weights, as a split whose truths say how much each class counts.
//
//   auto const train = c2f::data::mixed<100>(data.train, {.mixup = .2, .cutmix = 1, .smoothing = .1});
//   auto const fair  = c2f::data::mixed<100>(data.train, {.weights = c2f::data::balanced_weights(data.train, 100)});
//
// For splits with a class a picture, the truth becomes float {Classes}: a number for each class, 0 or more; the classes' share in the
// conditioning of the fine network are these divided by their sum, and the loss of a batch is the sum of -number * log p over samples and
// classes, divided by the sum of all numbers. So a row of numbers with the sum w is a sample that counts w times. A class y with weight w_y and
// smoothing e is w_y (1 - e) at y and w_y e / K everywhere. c2f::class_vector takes both forms of a truth. Smoothing or weights alone equal
// PyTorch's cross_entropy with label_smoothing or weight. For splits with attributes or numbers (c2f::multi_label, c2f::regression) truths are
// mixed as pictures are; for masks (c2f::dense) there is cutmix alone, which moves labels with their pixels.
//
// mixup (Zhang et al. 2018): l x_a + (1 - l) x_b with l from Beta(alpha, alpha), and truths alike. cutmix (Yun et al. 2019): a rectangle of
// x_b, of 1 - l of the area where it is inside, replaces that of x_a. With both, each is chosen with probability 1/2. The other sample is any
// of the split, augmented on its own; if it cannot be read, the sample stays unmixed. All is drawn from the stream of the sample, after its
// augmentation, so it is a function of (seed, epoch, sample id). Without a stream, as in evaluations, nothing is mixed, smoothed or weighed.
//
// Costs: a second read for each sample that is mixed. Errors: input_error for options out of range, mixup of masks, and smoothing or weights
// where the truth is no class.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/libtorch_error.hpp>
#include <c2f/core/random.hpp>
#include <c2f/data/split.hpp>

namespace c2f::data {

struct mixing {
  double mixup = 0, cutmix = 0;      ///< alpha of the Beta distribution of l; 0: off
  double probability          = 1;   ///< that a sample is mixed
  double smoothing            = 0;   ///< e, from 0 to 1
  std::int64_t classes        = 0;   ///< K of the smoothing, if the data have fewer classes than the kind; 0: all
  std::vector<double> weights = {};  ///< w, a number above 0 a class; empty: 1
};

namespace detail {

/// Gamma(shape, 1), shape > 0 (Marsaglia and Tsang 2000).
inline double gamma(random_stream& draw, double shape) {
  double const boost = shape < 1 ? std::pow(draw.uniform(), 1 / shape) : 1;
  double const d = (shape < 1 ? shape + 1 : shape) - 1. / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    double const x = draw.normal(), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(draw.uniform()) < x * x / 2 + d - d * v + d * std::log(v)) return boost * d * v;
  }
}
/// Beta(alpha, alpha).
inline double beta(random_stream& draw, double alpha) {
  double const a = gamma(draw, alpha), b = gamma(draw, alpha);
  return a + b > 0 ? a / (a + b) : 1;
}

}  // namespace detail

/// Samples that are mixed; made by mixed().
template <split S, std::int64_t Classes>
class mixed_samples : public detail::same_samples_as<S> {
  using detail::same_samples_as<S>::whole_;
  using given = typename S::truth_value;

  static constexpr bool of_classes = std::same_as<given, std::int64_t> && S::truth_dims.size() == 0;
  static constexpr bool of_numbers = std::same_as<given, float> && S::truth_dims.size() == 1;
  static constexpr bool of_masks   = std::same_as<given, std::int64_t> && S::truth_dims.size() == 2;
  static constexpr auto dims() {
    if constexpr (of_classes)
      return std::array<std::int64_t, 1>{Classes};
    else
      return S::truth_dims;
  }

 public:
  using truth_value                = std::conditional_t<of_classes, float, given>;
  static constexpr auto truth_dims = dims();

  mixed_samples(S whole, mixing how) : detail::same_samples_as<S>(std::move(whole)), how_(std::move(how)) {
    auto const out_of = [](double value, double least, double most) { return !(value >= least && value <= most); };
    if (out_of(how_.mixup, 0, 100) || out_of(how_.cutmix, 0, 100) || out_of(how_.probability, 0, 1) || out_of(how_.smoothing, 0, 1) ||
        how_.classes < 0 || (of_classes && how_.classes > Classes))
      throw input_error("the split " + std::string(whole_.name()) +
                        " is mixed with a number out of range; alphas are 0 or more, the probability and the smoothing 0 to 1");
    if (of_masks && how_.mixup > 0)
      throw input_error("the split " + std::string(whole_.name()) + " has a label for every pixel, which mixup cannot mix; use cutmix");
    if (!of_classes && (how_.smoothing > 0 || !how_.weights.empty()))
      throw input_error("the split " + std::string(whole_.name()) +
                        " has no class for a picture, so there is no label smoothing or class weight; give the task a loss with them");
    bool positive = true;
    for (double const each : how_.weights) positive = positive && each >= 0 && std::isfinite(each);
    if (!how_.weights.empty() && (!positive || (of_classes && std::ssize(how_.weights) > Classes)))
      throw input_error("the split " + std::string(whole_.name()) + " has " + std::to_string(how_.weights.size()) +
                        " class weights; give a number of 0 or more for each class");
  }

  [[nodiscard]] std::uint64_t fingerprint() const { return detail::samples_hash(whole_); }
  [[nodiscard]] reading_settings settings() const {
    reading_settings all = detail::settings_of(whole_);
    for (auto const& [name, value] : {std::pair<char const*, double>{"mixup", how_.mixup},
                                      {"cutmix", how_.cutmix},
                                      {"probability of mixing", how_.probability},
                                      {"label smoothing", how_.smoothing},
                                      {"number of classes of the label smoothing", static_cast<double>(how_.classes)}})
      all.emplace_back(name, value);
    for (std::size_t k = 0; k < how_.weights.size(); ++k) all.emplace_back("weight of class " + std::to_string(k), how_.weights[k]);
    return all;
  }
  [[nodiscard]] std::int64_t label(std::int64_t id) const
    requires requires(S const& s) { s.label(id); }
  {
    return whole_.label(id);
  }
  [[nodiscard]] mixing const& how() const { return how_; }

  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const {
    read_one(id, augment, pixels, truth, augment != nullptr);
    if (augment == nullptr || (how_.mixup == 0 && how_.cutmix == 0)) return;
    if (augment->uniform() > how_.probability) return;
    bool const cut      = how_.cutmix > 0 && (how_.mixup == 0 || augment->below(2) == 1);
    double const part   = detail::beta(*augment, cut ? how_.cutmix : how_.mixup);
    double const middle = augment->uniform(), centre = augment->uniform();
    auto const partner = static_cast<std::int64_t>(augment->below(static_cast<std::uint32_t>(whole_.size())));
    std::vector<float> other(pixel_count);
    std::vector<truth_value> other_truth(truth_count());
    try {
      read_one(partner, augment, other.data(), other_truth.data(), true);
    } catch (std::exception const& failure) {
      // A faulty sample, which is counted where it is read for itself; what is none ends the epoch there, and here (loader.hpp).
      bool const of_sample = dynamic_cast<input_error const*>(&failure) != nullptr ||
                             dynamic_cast<libtorch_error const*>(&failure) != nullptr ||
                             (dynamic_cast<error const*>(&failure) == nullptr && !c2f::detail::is_out_of_memory(failure));
      if (!of_sample) throw;
      return;
    }
    if (!cut) {
      auto const own = static_cast<float>(part);
      for (std::size_t i = 0; i < pixel_count; ++i) pixels[i] = own * pixels[i] + (1 - own) * other[i];
      mix(truth, other_truth, part);
      return;
    }
    auto const span = [&](std::int64_t size, double at) {
      double const half = static_cast<double>(size) * std::sqrt(1 - part) / 2, place = at * static_cast<double>(size);
      return std::pair{std::clamp<std::int64_t>(std::llround(place - half), 0, size),
                       std::clamp<std::int64_t>(std::llround(place + half), 0, size)};
    };
    auto const [top, bottom] = span(height, middle);
    auto const [left, right] = span(width, centre);
    for (std::int64_t y = top; y < bottom; ++y) {
      auto const first = static_cast<std::ptrdiff_t>(y * width + left), last = static_cast<std::ptrdiff_t>(y * width + right);
      std::copy(other.begin() + channels * first, other.begin() + channels * last, pixels + channels * first);
      if constexpr (of_masks) std::copy(other_truth.begin() + first, other_truth.begin() + last, truth + first);
    }
    mix(truth, other_truth, 1 - static_cast<double>((bottom - top) * (right - left)) / static_cast<double>(height * width));
  }

 private:
  static constexpr std::int64_t channels = S::image::channels, height = S::image::height, width = S::image::width;
  static constexpr std::size_t pixel_count = static_cast<std::size_t>(channels * height * width);
  static constexpr std::size_t truth_count() {
    std::size_t count = 1;
    for (std::int64_t const each : truth_dims) count *= static_cast<std::size_t>(each);
    return count;
  }

  void read_one(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth, bool training) const {
    if constexpr (of_classes) {
      std::int64_t label = 0;
      whole_.read(id, augment, pixels, &label);
      std::fill_n(truth, Classes, 0.f);
      if (label < 0 || label >= Classes) return;  // a sample without a class counts as none
      auto const y               = static_cast<std::size_t>(label);
      double const weight        = !training || how_.weights.empty() ? 1
                                   : y < how_.weights.size()         ? how_.weights[y]
                                                                     : 0,
                   e             = training ? how_.smoothing : 0;
      std::int64_t const classes = how_.classes > 0 ? how_.classes : Classes;
      if (e > 0) std::fill_n(truth, classes, static_cast<float>(weight * e / static_cast<double>(classes)));
      truth[y] += static_cast<float>(weight * (1 - e));
    } else {
      whole_.read(id, augment, pixels, truth);
    }
  }
  static void mix([[maybe_unused]] truth_value* truth, [[maybe_unused]] std::vector<truth_value> const& other,
                  [[maybe_unused]] double part) {
    if constexpr (!of_masks)
      for (std::size_t i = 0; i < other.size(); ++i)
        truth[i] = static_cast<float>(part * static_cast<double>(truth[i]) + (1 - part) * static_cast<double>(other[i]));
  }

  mixing how_;
};

/// A split that mixes its samples. Classes: of a split with a class a picture; others take none.
template <std::int64_t Classes = 0, split S>
  requires(S::truth_dims.size() == 0 ? Classes >= 2
                                     : Classes == 0 && S::truth_dims.size() == (std::same_as<typename S::truth_value, float> ? 1 : 2))
[[nodiscard]] mixed_samples<S, Classes> mixed(S whole, mixing how) {
  return {std::move(whole), std::move(how)};
}

/// Weights with which every class counts as much: samples / (classes * samples of the class), 0 for a class without samples.
template <class S>
  requires requires(S const& s) { s.label(0); }
[[nodiscard]] std::vector<double> balanced_weights(S const& samples, std::int64_t classes) {
  std::vector<double> counts(static_cast<std::size_t>(classes)), weights(counts.size());
  for (std::int64_t id = 0; id < samples.size(); ++id)
    if (std::int64_t const label = samples.label(id); label >= 0 && label < classes) ++counts[static_cast<std::size_t>(label)];
  double sum = 0, used = 0;
  for (double const each : counts) sum += each, used += each > 0;
  for (std::size_t k = 0; k < counts.size(); ++k) weights[k] = counts[k] > 0 ? sum / (used * counts[k]) : 0;
  return weights;
}

}  // namespace c2f::data
