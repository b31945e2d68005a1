// c2f/data/few_labels.hpp: a training split of which few samples have a label, for semi-supervised training.
//
//   auto const parts = c2f::data::few_labels(data.train, 4000, 1);     // parts.labelled, 4,000 samples; parts.rest, without their truths
//   c2f::data::streams train{c2f::data::stream{parts.labelled, 8}, c2f::data::stream{parts.rest, 92}};
//
// Which samples keep their label is a function of (seed, purpose::partition, id). The numbers of two classes differ by at most 1. The truths
// of `rest` are -100 (data/streams.hpp), so no training can read them.
// Errors: input_error for a number of labels that is not 1 to size - 1 or is below the number of classes, and for a class that would get
// more labels than it has samples.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/data/split.hpp>
#include <c2f/data/streams.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace c2f::data {

/// A split whose samples all have a class that is known without reading the image.
template <class S>
concept labelled_split = split<S> && requires(S const& s, std::int64_t id) {
  { s.label(id) } -> std::convertible_to<std::int64_t>;
};

/// The samples that have a label, and the rest; made by few_labels().
template <labelled_split S>
struct partly_labelled {
  chosen<S> labelled;
  unlabelled<chosen<S>> rest;
};

/// `labels` samples of a split keep their label, the same number of each class, give or take one.
template <labelled_split S>
[[nodiscard]] partly_labelled<S> few_labels(S const& whole, std::int64_t labels, std::uint64_t seed) {
  std::string const name = whole.name();
  std::int64_t const n   = whole.size();
  if (labels < 1 || labels >= n)
    throw input_error(name + " has " + std::to_string(n) + " samples, of which " + std::to_string(labels) +
                      " cannot be the ones with a label; write 1 to " + std::to_string(n - 1));
  std::map<std::int64_t, std::vector<std::pair<std::uint32_t, std::int64_t>>> classes;
  for (std::int64_t id = 0; id < n; ++id)
    classes[whole.label(id)].emplace_back(random_stream{seed, purpose::partition, 0, static_cast<std::uint64_t>(id)}.bits(), id);

  std::vector<std::int64_t> with, without;
  auto const count = static_cast<std::int64_t>(classes.size());
  if (labels < count)
    throw input_error(name + " has " + std::to_string(count) + " classes, of which " + std::to_string(labels) +
                      " labels leave some without any; write " + std::to_string(count) + " or more");
  std::int64_t more = labels % count;  // classes that get one label more
  for (auto& [label, members] : classes) {
    auto const own = static_cast<std::size_t>(labels / count + (more-- > 0 ? 1 : 0));
    if (own > members.size())
      throw input_error("class " + std::to_string(label) + " of " + name + " has " + std::to_string(members.size()) + " samples, but " +
                        std::to_string(labels) + " labels of " + std::to_string(count) + " classes are " + std::to_string(own) +
                        " of each; ask for fewer");
    std::sort(members.begin(), members.end());
    for (std::size_t i = 0; i < members.size(); ++i) (i < own ? with : without).push_back(members[i].second);
  }
  std::sort(with.begin(), with.end());
  std::sort(without.begin(), without.end());
  return {{whole, name + ", " + std::to_string(labels) + " labels", std::move(with)},
          unlabelled<chosen<S>>(chosen<S>(whole, name + " without labels", std::move(without)))};
}

/// Labelled and unlabelled samples to train on, the test split, and the validation split of data that have one.
template <class Train, class Test, class Validation = void>
struct partly_labelled_data {
  Train train;
  Test test;
  Validation validation;
};
template <class Train, class Test>
struct partly_labelled_data<Train, Test, void> {
  Train train;
  Test test;
};
template <class Train, class Test>
partly_labelled_data(Train, Test) -> partly_labelled_data<Train, Test>;
template <class Train, class Test, class Validation>
partly_labelled_data(Train, Test, Validation) -> partly_labelled_data<Train, Test, Validation>;

/// Batches of `streams` times `labelled` rows, in orders of their own, and `unlabelled` ones. `labels` samples of data.train keep their label,
/// chosen by the seed. An epoch has the whole batches of one pass over the rest, at least one; what does not fill a batch comes in another
/// epoch, in another order. Errors: input_error as few_labels().
template <std::size_t Streams, dataset D>
[[nodiscard]] auto partly_labelled_streams(D const& data, std::int64_t labels, std::uint64_t seed, std::int64_t labelled,
                                           std::int64_t unlabelled) {
  auto const parts = few_labels(data.train, labels, seed);
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    auto const with_label = [&](std::size_t) { return stream{parts.labelled, labelled}; };
    c2f::data::streams train{with_label(I)..., stream{parts.rest, unlabelled}};
    auto const batches = std::max<std::int64_t>(1, parts.rest.size() / unlabelled);
    auto const some    = train.batches_an_epoch(batches);
    if constexpr (has_validation<D>)
      return partly_labelled_data{some, data.test, data.validation};
    else
      return partly_labelled_data{some, data.test};
  }(std::make_index_sequence<Streams>());
}

}  // namespace c2f::data
