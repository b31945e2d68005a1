// c2f/data/datasets/organ_slices.hpp: slices of medical volumes with the mask of one organ, from pairs of NIfTI files.
//
//   c2f::data::organ<64, 64> data(dir / "images", dir / "labels", {.axis = 2});        // files of one name are a pair
//   data.train.size();                                                                // slices to train on
//   data.train.along(0);                                                              // the same volumes, cut across x
//   for (c2f::data::organ_case const& c : data.test.cases()) …                        // whole volumes, for evaluation
//   for (auto const& fault : data.faults) std::puts(fault.c_str());                   // pairs that could not be used
//
// A sample is a slice with its two neighbours as channels, centred on a canvas of Height x Width (slices.hpp); its truth is a label a
// pixel: 1 on the organ and 0 elsewhere. Slices with too few target pixels are left out by RSTN's rule, applied to all slices of the split.
// Intensities are windowed to 0...1, by given bounds (CT: -100 and 240) or by each volume's own percentiles .5 and 99.5 (MR). There is no
// augmentation here: RSTN augments by a jittered crop, which fuse::crop applies.
//
// Train and test are split by volume: each volume draws a number from (seed, its name); those with the smallest numbers are the test split,
// test_fraction of all, rounded, with at least one volume in each split.
//
// Costs: everything is read at construction and stays in memory, 5 bytes a voxel; a read copies and allocates nothing.
// Errors: input_error for a missing folder, fewer than two usable pairs, an invalid window or fraction. An unusable pair (one file missing
// or damaged, different sizes or places (volume.hpp), a label below 0, no organ, slices larger than the canvas) is left out and listed in `faults` with file and reason; with
// `strict` it is an input_error.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/nifti.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/volumes/slices.hpp>
#include <c2f/data/volumes/volume.hpp>

namespace c2f::data {

/// A volume and the mask of its organ.
struct organ_case {
  std::string name;             ///< the file name
  volume<float> intensities;    ///< 0...1
  volume<std::uint8_t> target;  ///< 1 in the organ, 0 elsewhere
};

/// How volumes are cut, windowed and split.
struct organ_options {
  int axis           = 2;                        ///< slices are cut across x (0), y (1) or z (2)
  std::int32_t label = 0;                        ///< the organ's label; 0: all labels above 0
  std::optional<std::array<float, 2>> window{};  ///< intensities mapped to 0 and 1; nullopt: percentiles .5 and 99.5 of each volume
  double keep                = 0.98;             ///< the fraction kept of the slices that contain the organ
  double test_fraction       = 0.2;              ///< the fraction of the volumes
  std::uint64_t seed         = 1;
  std::int64_t padding_label = 0;  ///< the truth of the padding: background, or a label that the loss ignores
  bool strict                = false;
};

/// The slices of some volumes across one axis; the truth is a label a pixel: std::int64_t, {Height, Width}.
template <std::int64_t Height, std::int64_t Width>
class organ_slices {
 public:
  using image       = c2f::image<3, Height, Width>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 2> truth_dims{Height, Width};

  organ_slices(std::string name, std::shared_ptr<std::vector<organ_case> const> cases, organ_options const& options)
      : name_(std::move(name)), cases_(std::move(cases)), options_(options) {
    std::vector<std::vector<std::int64_t>> shown;
    std::vector<std::int64_t> all;
    for (organ_case const& c : *cases_) {
      static_cast<void>(detail::slice_layout(c.target.dims, options_.axis, Height, Width));  // throws if the canvas is too small
      auto const& pixels = shown.emplace_back(target_pixels(c.target, options_.axis));
      all.insert(all.end(), pixels.begin(), pixels.end());
    }
    std::int64_t const least = least_target_pixels(std::move(all), options_.keep);
    auto kept                = std::make_shared<std::vector<sample>>();
    for (std::size_t c = 0; c < shown.size(); ++c)
      for (std::size_t s = 0; s < shown[c].size(); ++s)
        if (shown[c][s] >= least) kept->push_back({c, static_cast<std::int64_t>(s)});
    samples_ = std::move(kept);
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(samples_->size()); }
  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] std::vector<std::string> classes() const { return {"background", "organ"}; }
  [[nodiscard]] static constexpr std::int64_t class_count() { return 2; }

  void read(std::int64_t id, random_stream* /*augment*/, float* pixels, std::int64_t* truth) const {
    auto const [number, slice] = (*samples_)[static_cast<std::size_t>(id)];
    organ_case const& c        = (*cases_)[number];
    detail::slice_layout const layout(c.target.dims, options_.axis, Height, Width);
    layout.write(c.intensities, slice, pixels);
    std::fill_n(truth, Height * Width, options_.padding_label);
    for (std::int64_t y = 0; y < layout.height; ++y)
      for (std::int64_t x = 0; x < layout.width; ++x) truth[layout.on_canvas(y, x)] = c.target.values[layout.in_volume(slice, y, x)];
  }

  /// The volume's file name and the slice.
  [[nodiscard]] std::string name_of(std::int64_t id) const { return (*cases_)[case_of(id)].name + ' ' + std::to_string(slice_of(id)); }
  /// The volumes, sorted by name.
  [[nodiscard]] std::vector<organ_case> const& cases() const { return *cases_; }
  /// The index of a sample's volume, and its slice in it.
  [[nodiscard]] std::size_t case_of(std::int64_t id) const { return (*samples_)[static_cast<std::size_t>(id)].number; }
  [[nodiscard]] std::int64_t slice_of(std::int64_t id) const { return (*samples_)[static_cast<std::size_t>(id)].slice; }
  [[nodiscard]] int axis() const { return options_.axis; }

  /// The same volumes, shared and not copied, cut across another axis.
  [[nodiscard]] organ_slices along(int axis) const {
    organ_options turned = options_;
    turned.axis          = axis;
    return {name_, cases_, turned};
  }

 private:
  struct sample {
    std::size_t number;
    std::int64_t slice;
  };
  std::string name_;
  std::shared_ptr<std::vector<organ_case> const> cases_;
  std::shared_ptr<std::vector<sample> const> samples_;
  organ_options options_;
};

namespace detail {

inline std::set<std::string> all_files_in(std::filesystem::path const& folder) {
  return names_in(folder, [](auto const& entry) {
    std::error_code ignored;
    return !entry.is_directory(ignored);  // a link that leads nowhere is half of a pair, too: reading it says so
  });
}

inline organ_case read_case(std::filesystem::path const& image, std::filesystem::path const& label, organ_options const& options,
                            std::int64_t height, std::int64_t width) {
  organ_case c;
  c.name                            = image.filename().string();
  c.intensities                     = read_nifti<float>(image);
  volume<std::int32_t> const labels = read_nifti<std::int32_t>(label);
  check_same_place(labels, "'" + label.string() + "'", c.intensities, "its image");
  auto const negative = std::find_if(labels.values.begin(), labels.values.end(), [](std::int32_t each) { return each < 0; });
  if (negative != labels.values.end())
    throw input_error("'" + label.string() + "' has the label " + std::to_string(*negative) +
                      "; labels are 0, the background, or above, so write what it means into the volume");
  c.target     = volume<std::uint8_t>(labels.dims, labels.place);
  bool present = false;
  for (std::size_t i = 0; i < labels.values.size(); ++i) {
    bool const inside  = options.label == 0 ? labels.values[i] > 0 : labels.values[i] == options.label;
    c.target.values[i] = inside;
    present            = present || inside;
  }
  std::string const wanted = options.label == 0 ? "above 0" : std::to_string(options.label);
  if (!present)
    throw input_error("'" + label.string() + "' has no voxel of the organ, a label " + wanted +
                      "; leave the pair out or choose another label");
  try {
    auto const [low, high] = options.window ? *options.window : percentiles(c.intensities, 0.5, 99.5);
    c.intensities          = windowed(std::move(c.intensities), low, high);
    static_cast<void>(slice_layout(c.target.dims, options.axis, height, width));  // throws if the canvas is too small
  } catch (input_error const& error) {
    throw input_error("cannot use '" + image.string() + "': " + error.what());
  }
  return c;
}

}  // namespace detail

/// A data set of organ slices.
template <std::int64_t Height, std::int64_t Width>
class organ {
 public:
  organ(std::filesystem::path const& images, std::filesystem::path const& labels, organ_options const& options = {})
      : organ(read(images, labels, options), options) {}

 private:
  struct loaded {
    std::shared_ptr<std::vector<organ_case>> train = std::make_shared<std::vector<organ_case>>(),
                                             test  = std::make_shared<std::vector<organ_case>>();
    std::vector<std::string> faults;
  };
  organ(loaded all, organ_options const& options)
      : train("organ train", std::move(all.train), options),
        test("organ test", std::move(all.test), options),
        faults(std::move(all.faults)) {}

  static loaded read(std::filesystem::path const& images, std::filesystem::path const& labels, organ_options const& options) {
    if (!(options.test_fraction >= 0 && options.test_fraction <= 1))
      throw input_error("organ_options.test_fraction is " + detail::text_of(options.test_fraction) + "; it must be from 0 to 1");
    loaded all;
    auto const pairs = detail::pairs_of(images, detail::all_files_in(images), labels, detail::all_files_in(labels), {".nii.gz", ".nii"});
    std::vector<organ_case> good;
    for (auto const& [image, label] : pairs) try {
        good.push_back(detail::read_case(images / image, labels / label, options, Height, Width));
      } catch (input_error const& error) {
        if (options.strict) throw;
        all.faults.push_back(error.what());
      }
    if (good.size() < 2)
      throw input_error("'" + images.string() + "' and '" + labels.string() + "' have " + std::to_string(good.size()) +
                        " pairs of volumes that can be used, and two are needed, one to train and one to test" +
                        (all.faults.empty() ? std::string("; check the folders") : "; the first fault: " + all.faults.front()));

    std::vector<std::pair<std::uint32_t, std::size_t>> draws;
    for (std::size_t i = 0; i < good.size(); ++i)
      draws.emplace_back(random_stream{options.seed, purpose::partition, 0, hash_of(good[i].name)}.bits(), i);
    std::sort(draws.begin(), draws.end());
    auto const wanted = std::llround(options.test_fraction * static_cast<double>(good.size()));
    auto const tests  = static_cast<std::size_t>(std::clamp<std::int64_t>(wanted, 1, static_cast<std::int64_t>(good.size()) - 1));
    std::set<std::size_t> test;
    for (std::size_t i = 0; i < tests; ++i) test.insert(draws[i].second);
    for (std::size_t i = 0; i < good.size(); ++i) (test.contains(i) ? all.test : all.train)->push_back(std::move(good[i]));
    return all;
  }

 public:
  organ_slices<Height, Width> train, test;
  std::vector<std::string> faults;  ///< the pairs that were left out, with reasons
};

}  // namespace c2f::data
