// c2f/data/validation.hpp: takes a part of the training split of a data set for validation.
//
//   auto const all = c2f::data::with_validation(data, 0.1, 1);     // all.train, all.validation, all.test
//   auto const report = c2f::fit(model, all, recipe);              // scores after every epoch are of all.validation
//
// Chosen by (seed, purpose::partition, id); where the labels are known, the fraction of each class, rounded. Settings are then chosen by
// scores that are not those of the test split, which c2f::fit scores once at the end.
// Errors: input_error for a fraction that leaves nothing to train on or to validate on.
#pragma once

#include <c2f/data/numbers.hpp>
#include <c2f/data/split.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace c2f::data {

namespace detail {
struct two_parts {
  std::vector<std::int64_t> train, validation;
};
/// Of each class the samples with the smallest random numbers are for validation. labels: the class of each sample, by id.
inline two_parts partition(std::string const& name, std::vector<std::int64_t> const& labels, double fraction, std::uint64_t seed) {
  std::map<std::int64_t, std::vector<std::pair<std::uint32_t, std::int64_t>>> classes;
  for (std::size_t id = 0; id < labels.size(); ++id)
    classes[labels[id]].emplace_back(random_stream{seed, purpose::partition, 0, id}.bits(), static_cast<std::int64_t>(id));
  two_parts made;
  if (fraction > 0 && fraction < 1)
    for (auto& [label, members] : classes) {
      std::sort(members.begin(), members.end());
      auto const held = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(members.size())));
      for (std::size_t i = 0; i < members.size(); ++i) (i < held ? made.validation : made.train).push_back(members[i].second);
    }
  if (made.train.empty() || made.validation.empty())
    throw input_error("a fraction of " + text_of(fraction) + " of the " + std::to_string(labels.size()) + " samples of " + name +
                      " leaves none to train on or none to validate on; write a number above 0 and below 1");
  std::sort(made.train.begin(), made.train.end());
  std::sort(made.validation.begin(), made.validation.end());
  return made;
}
}  // namespace detail

/// A data set whose training and validation splits are parts of one; made by with_validation().
template <split Train, split Test>
struct validated {
  chosen<Train> train, validation;
  Test test;
};

/// Takes a fraction of the training split for validation, chosen by (seed, id); where the labels are known, that fraction of each class,
/// rounded.
template <dataset D>
[[nodiscard]] auto with_validation(D const& data, double fraction, std::uint64_t seed) {
  using train        = std::remove_cvref_t<decltype(data.train)>;
  train const& whole = data.train;
  std::vector<std::int64_t> labels(static_cast<std::size_t>(whole.size()));
  if constexpr (requires { whole.label(std::int64_t{}); })
    for (std::size_t id = 0; id < labels.size(); ++id) labels[id] = whole.label(static_cast<std::int64_t>(id));
  std::string const name = whole.name();
  auto parts             = detail::partition(name, labels, fraction, seed);
  return validated<train, std::remove_cvref_t<decltype(data.test)>>{
      {whole, name, std::move(parts.train)}, {whole, name + " validation", std::move(parts.validation)}, data.test};
}

}  // namespace c2f::data
