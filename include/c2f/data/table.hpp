// c2f/data/table.hpp: a split of feature vectors in memory.
//
//   c2f::data::table<64> const activations("activations", x, {labels.begin(), labels.end()}, names);     // x [N, 64], a class for each row
//   auto const [means, classes] = activations.means();                                   // [R, 64], [R]: of the classes that have samples
//   auto const held = c2f::data::hold_out(activations, 10);                              // it is a few_shot_split
//
// A sample is an image of one pixel, c2f::image<Channels, 1, 1>, so models and loaders take it like any other. It is never augmented.
// inference/features.hpp computes the features of images.
//
// Cost: a copy of the features if they are not contiguous floats on the CPU; one pass over the bytes for the fingerprint, by which
// checkpoints tell other features. Errors: input_error for features of another width, another number of labels, a label below 0, and
// features that are not finite.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/split.hpp>

namespace c2f::data {

/// A mean for each class that has samples.
struct class_means {
  at::Tensor means;    ///< [R, C] float
  at::Tensor classes;  ///< [R] int64, ascending
};

namespace detail {
struct table_rows {
  std::string name;
  at::Tensor features;  // [N, C] float, contiguous, on the CPU
  std::vector<std::int64_t> labels;
  std::vector<std::string> classes;
  std::uint64_t fingerprint = 0;
};
inline std::shared_ptr<table_rows const> make_table_rows(std::string name, at::Tensor const& features, std::vector<std::int64_t> labels,
                                                         std::vector<std::string> classes, std::int64_t channels) {
  if (features.dim() != 2 || features.size(1) != channels || features.size(0) != static_cast<std::int64_t>(labels.size()))
    throw input_error("the table " + name + " of vectors of " + std::to_string(channels) + " was given features " +
                      c2f::detail::dims_of(features) + " and " + std::to_string(labels.size()) + " labels; give it [N, " +
                      std::to_string(channels) + "] and a label for each row");
  if (std::ranges::any_of(labels, [](std::int64_t k) { return k < 0; }))
    throw input_error("the table " + name + " has a label below 0; number the classes from 0");
  if (!features.isfinite().all().item<bool>())
    throw input_error("the table " + name + " has features that are not finite; look at the network that made them");
  at::Tensor kept    = features.detach().to(at::kCPU, at::kFloat).contiguous();
  std::uint64_t hash = hash_after(empty_hash, std::string_view(static_cast<char const*>(kept.const_data_ptr()), kept.nbytes()));
  for (auto const k : labels) hash = hash_after(hash, static_cast<std::uint64_t>(k));
  return std::make_shared<table_rows const>(table_rows{std::move(name), std::move(kept), std::move(labels), std::move(classes), hash});
}
}  // namespace detail

/// Vectors with classes, as a split. Copies share the data.
template <std::int64_t Channels>
class table {
 public:
  using image                                             = c2f::image<Channels, 1, 1>;
  using truth_value                                       = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims = {};

  table(std::string name, at::Tensor const& features, std::vector<std::int64_t> labels, std::vector<std::string> classes = {})
      : rows_(detail::make_table_rows(std::move(name), features, std::move(labels), std::move(classes), Channels)) {}

  [[nodiscard]] std::int64_t size() const { return rows_->features.size(0); }
  [[nodiscard]] std::string const& name() const { return rows_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return rows_->classes; }
  [[nodiscard]] std::uint64_t fingerprint() const { return rows_->fingerprint; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return rows_->labels[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::vector<std::int64_t> const& labels() const { return rows_->labels; }
  /// [N, Channels] float, on the CPU.
  [[nodiscard]] at::Tensor const& features() const { return rows_->features; }
  void read(std::int64_t id, random_stream*, float* pixels, truth_value* truth) const {
    std::copy_n(features().template const_data_ptr<float>() + id * Channels, Channels, pixels);
    *truth = label(id);
  }

  [[nodiscard]] class_means means() const {
    std::vector<std::int64_t> numbers;
    for (auto const k : labels()) numbers.push_back(k);
    std::ranges::sort(numbers);
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    at::Tensor const sums = at::zeros({static_cast<std::int64_t>(numbers.size()), Channels}, at::TensorOptions(at::kDouble));
    std::vector<std::int64_t> places, counts(numbers.size());
    for (auto const k : labels()) {
      places.push_back(std::ranges::lower_bound(numbers, k) - numbers.begin());
      ++counts[static_cast<std::size_t>(places.back())];
    }
    sums.index_add_(0, at::tensor(places), features().to(at::kDouble));
    return {sums.div(at::tensor(counts).unsqueeze(1)).to(at::kFloat), at::tensor(numbers)};
  }

 private:
  std::shared_ptr<detail::table_rows const> rows_;
};

}  // namespace c2f::data
