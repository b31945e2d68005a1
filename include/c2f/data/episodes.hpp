// c2f/data/episodes.hpp: few-shot classification: reproducible episodes drawn from a split.
//
//   c2f::data::cifar_fs const data{"/data"};
//   c2f::data::episodes const tests{data.novel, {.way = 5, .shot = 1, .queries = 15, .seed = 1}};
//   c2f::data::episode const e = tests.at(7);
//   at::Tensor const support = c2f::data::read_samples(data.novel, e.support);   // [5, C, H, W]; image i is of class i / shot
//   at::Tensor const query   = c2f::data::read_samples(data.novel, e.query);     // [75, C, H, W]; image i is of class i / queries
//   auto const base = c2f::data::hold_out(data.base, 5);        // base.train and base.test: a data set for pre-training
//   c2f::data::episode_batches const training{data.base, {.way = 5, .shot = 1, .queries = 3}, 1000};      // a split whose batches are episodes
//
// An episode is a classification problem of its own (Vinyals et al., NIPS 2016): `way` classes, `shot` labelled samples of each (the
// support set), and `queries` further samples of each to classify (the query set). Episode `number` draws from
// random_stream(seed, purpose::episode, 0, number): first the classes, then class by class the samples, support before queries. Each draw
// of k items takes the first k of a forward Fisher-Yates shuffle, of classes ordered by number and of samples ordered by id.
//
// The split must be a few_shot_split: a sample's class is known without reading it. Such are pictures (cifar, glyphs), omniglot and
// image_folder.
//
// Costs: construction lists the ids of each class; an episode copies the ids of its classes and the list of all
// classes, a few microseconds.
// Errors: input_error for an option outside 1 ... 1000000, fewer classes than `way`, a class with fewer than shot + queries samples, an n
// that hold_out cannot take from every class, or splits that share a class.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/data/split.hpp>

namespace c2f::data {

/// A split whose samples have one class each, known without reading them.
///   s.label(id)    the class of a sample, 0, 1 ...: the value that read writes as its truth
///   s.classes()    the names of the classes; empty if unknown
template <class S>
concept few_shot_split =
    split<S> && std::same_as<typename S::truth_value, std::int64_t> && S::truth_dims.size() == 0 && requires(S const& s, std::int64_t id) {
      { s.label(id) } -> std::convertible_to<std::int64_t>;
      { s.classes() } -> std::convertible_to<std::vector<std::string>>;
    };

/// The class of each sample, by id.
template <few_shot_split S>
[[nodiscard]] std::vector<std::int64_t> labels(S const& samples) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(samples.size()));
  for (std::size_t id = 0; id < all.size(); ++id) all[id] = samples.label(static_cast<std::int64_t>(id));
  return all;
}

namespace detail {
/// A sample's class as an index; input_error for one that is none, such as -100.
inline std::size_t class_of_episodes(std::string const& name, std::size_t id, std::int64_t label) {
  if (label < 0 || label >= 1000000)
    throw input_error("sample " + std::to_string(id) + " of " + name + " has the class " + std::to_string(label) +
                      "; episodes are of classes 0 to 999999, so leave out samples without a class");
  return static_cast<std::size_t>(label);
}
}  // namespace detail

/// The size of an episode; each number is 1 ... 1000000.
struct episode_options {
  std::int64_t way     = 5;   ///< classes
  std::int64_t shot    = 1;   ///< support samples a class
  std::int64_t queries = 15;  ///< query samples a class, disjoint from the support
  std::uint64_t seed   = 1;   ///< of all draws
};

/// The classes and samples of one episode. Within it classes are numbered 0 ... way - 1 in the order of `classes`.
struct episode {
  std::vector<std::int64_t> classes;  ///< `way` class numbers of the split
  std::vector<std::int64_t> support;  ///< way * shot ids, class by class: sample i is of class i / shot
  std::vector<std::int64_t> query;    ///< way * queries ids, class by class: sample i is of class i / queries
  friend bool operator==(episode const&, episode const&) = default;

  /// The class, 0 ... way - 1, of each support and query sample.
  [[nodiscard]] std::vector<std::int64_t> support_labels() const { return labels_of(support.size()); }
  [[nodiscard]] std::vector<std::int64_t> query_labels() const { return labels_of(query.size()); }

 private:
  [[nodiscard]] std::vector<std::int64_t> labels_of(std::size_t samples) const {
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < samples; ++i) numbers.push_back(static_cast<std::int64_t>(i * classes.size() / samples));
    return numbers;
  }
};

/// Draws episodes from a split. A pure function of labels, options and the episode's number.
class episodes {
 public:
  template <few_shot_split S>
  explicit episodes(S const& samples, episode_options const& options = {})
      : episodes(samples.name(), labels(samples), samples.classes(), options) {}

  /// From the class of each sample. `name` (of the split) and `names` (of the classes; may be empty) are used in messages.
  episodes(std::string const& name, std::span<std::int64_t const> labels, std::vector<std::string> const& names,
           episode_options const& options)
      : options_(options) {
    check("way", options.way);
    check("shot", options.shot);
    check("queries", options.queries);
    for (std::size_t id = 0; id < labels.size(); ++id) {
      auto const k = detail::class_of_episodes(name, id, labels[id]);
      if (k >= members_.size()) members_.resize(k + 1);
      members_[k].push_back(static_cast<std::int64_t>(id));
    }
    members_.resize(std::max(members_.size(), names.size()));
    check_sizes(name, names);
  }

  [[nodiscard]] episode_options const& options() const { return options_; }
  [[nodiscard]] std::int64_t class_count() const { return static_cast<std::int64_t>(members_.size()); }
  /// The ids of a class.
  [[nodiscard]] std::vector<std::int64_t> const& members(std::int64_t k) const { return members_[static_cast<std::size_t>(k)]; }

  /// Episode `number`: always the same for the same labels and options.
  [[nodiscard]] episode at(std::int64_t number) const {
    random_stream draw{options_.seed, purpose::episode, 0, static_cast<std::uint64_t>(number)};
    std::vector<std::int64_t> all(members_.size());
    for (std::size_t k = 0; k < all.size(); ++k) all[k] = static_cast<std::int64_t>(k);
    episode made;
    made.classes = choose(std::move(all), options_.way, draw);
    for (std::int64_t const k : made.classes) {
      auto const ids   = choose(members_[static_cast<std::size_t>(k)], options_.shot + options_.queries, draw);
      auto const first = ids.begin() + options_.shot;
      made.support.insert(made.support.end(), ids.begin(), first);
      made.query.insert(made.query.end(), first, ids.end());
    }
    return made;
  }

  /// Samples of classes that are not in `e`, one for each of its queries, drawn from `draw`.
  /// Error: input_error if `e` has all classes.
  [[nodiscard]] std::vector<std::int64_t> from_other_classes(episode const& e, random_stream& draw) const {
    if (options_.way >= class_count())
      throw input_error("episodes of " + std::to_string(options_.way) + " classes leave no other base class of " +
                        std::to_string(class_count()) + " for their queries; choose a smaller way");
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < e.query.size(); ++i) {
      std::int64_t k = 0;
      do k = draw.below(static_cast<std::uint32_t>(class_count()));
      while (std::find(e.classes.begin(), e.classes.end(), k) != e.classes.end());
      ids.push_back(members(k)[draw.below(static_cast<std::uint32_t>(members(k).size()))]);
    }
    return ids;
  }

 private:
  static constexpr std::int64_t most = 1000000;  // limit of each option, so that sums and products cannot overflow

  static void check(char const* option, std::int64_t found) {
    if (found < 1 || found > most)
      throw input_error(std::string("the option ") + option + " of episodes is " + std::to_string(found) + "; it must be 1 to " +
                        std::to_string(most));
  }

  void check_sizes(std::string const& name, std::vector<std::string> const& names) const {
    if (class_count() < options_.way)
      throw input_error(name + " has " + std::to_string(class_count()) + " classes, too few for episodes of " +
                        std::to_string(options_.way) + "; write a smaller way or add classes");
    std::int64_t const needed = options_.shot + options_.queries;
    for (std::size_t k = 0; k < members_.size(); ++k)
      if (auto const found = static_cast<std::int64_t>(members_[k].size()); found < needed)
        throw input_error("class " + std::to_string(k) + (k < names.size() ? " (" + names[k] + ")" : "") + " of " + name + " has " +
                          std::to_string(found) + " samples, but an episode takes " + std::to_string(options_.shot) + " for support and " +
                          std::to_string(options_.queries) + " as queries; write fewer of them or add samples");
  }

  static std::vector<std::int64_t> choose(std::vector<std::int64_t> among, std::int64_t k, random_stream& draw) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i)
      std::swap(among[i], among[i + draw.below(static_cast<std::uint32_t>(among.size() - i))]);
    among.resize(static_cast<std::size_t>(k));
    return among;
  }

  episode_options options_;
  std::vector<std::vector<std::int64_t>> members_;  // the ids of each class
};

/// A data set whose train and test splits have the same classes.
template <few_shot_split S>
struct held_out {
  chosen<S> train, test;
};

/// Splits off the last n samples of each class for testing; the rest is for training. For training a network on the base classes before
/// episodes of novel classes.
template <few_shot_split S>
[[nodiscard]] held_out<S> hold_out(S const& whole, std::int64_t n) {
  std::vector<std::int64_t> const all = labels(whole);
  std::vector<std::int64_t> left, train, test;  // left: the number of samples of each class not yet visited
  for (std::size_t id = 0; id < all.size(); ++id) {
    std::size_t const k = detail::class_of_episodes(whole.name(), id, all[id]);
    left.resize(std::max(left.size(), k + 1));
    ++left[k];
  }
  for (std::size_t k = 0; k < left.size(); ++k)
    if (n < 1 || n >= left[k])
      throw input_error("of the " + std::to_string(left[k]) + " samples of class " + std::to_string(k) + " of " + whole.name() + ", " +
                        std::to_string(n) + " cannot be held out; write 1 or more, and fewer than a class has");
  for (std::size_t id = 0; id < all.size(); ++id)
    (left[static_cast<std::size_t>(all[id])]-- <= n ? test : train).push_back(static_cast<std::int64_t>(id));
  return {{whole, whole.name() + " train", std::move(train)}, {whole, whole.name() + " test", std::move(test)}};
}

/// A split whose batches are episodes, 1000 of them an epoch: rows way * shot of the support, class by class, then way * queries of the same
/// classes, then as many of other classes. All truths are classes of the split. Episode i of epoch e is episode number e * episodes + i of
/// `options`, whatever the seed of the training; the queries of other classes are drawn by random_stream(seed, purpose::episode, 1, number).
/// Errors: those of c2f::data::episodes; input_error from batches() and order() for a batch that is not an episode (rows()).
template <few_shot_split S>
class episode_batches {
 public:
  using image                      = typename S::image;
  using truth_value                = std::int64_t;
  static constexpr auto truth_dims = S::truth_dims;

  episode_batches(S whole, episode_options const& options, std::int64_t episodes)
      : whole_(std::move(whole)), drawn_(std::make_shared<c2f::data::episodes const>(whole_, options)), episodes_(episodes) {
    if (episodes < 1) throw input_error("an epoch cannot have " + std::to_string(episodes) + " episodes; write 1 or more");
    (void)of(0);  // an error of the options is thrown here
  }

  [[nodiscard]] c2f::data::episodes const& drawn() const { return *drawn_; }
  /// The samples of an episode.
  [[nodiscard]] std::int64_t rows() const {
    auto const& o = drawn_->options();
    return o.way * (o.shot + 2 * o.queries);
  }

  [[nodiscard]] std::int64_t size() const { return whole_.size(); }
  [[nodiscard]] std::uint64_t fingerprint() const {
    auto const& o      = drawn_->options();
    std::uint64_t hash = detail::samples_hash(whole_);
    for (auto const number : {o.way, o.shot, o.queries, episodes_}) hash = detail::hash_after(hash, static_cast<std::uint64_t>(number));
    return detail::hash_after(hash, o.seed);
  }
  [[nodiscard]] std::string name() const { return "episodes of " + std::string(whole_.name()); }
  [[nodiscard]] std::string name_of(std::int64_t id) const
    requires detail::has_names<S>
  {
    return std::string(whole_.name_of(id));
  }
  [[nodiscard]] decltype(auto) classes() const { return whole_.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return whole_.label(id); }
  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const { whole_.read(id, augment, pixels, truth); }
  /// A sample of the same class.
  [[nodiscard]] std::int64_t replacement(std::int64_t id, random_stream& draw) const {
    auto const& same = drawn_->members(whole_.label(id));
    return same[draw.below(static_cast<std::uint32_t>(same.size()))];
  }

  [[nodiscard]] std::int64_t batches(std::int64_t batch) const {
    if (batch != rows())
      throw input_error("an episode has " + std::to_string(rows()) + " samples, so a batch must have as many, found " +
                        std::to_string(batch) + "; write .batch(" + std::to_string(rows()) + ")");
    return episodes_;
  }
  [[nodiscard]] std::vector<std::int64_t> order(std::uint64_t, std::uint64_t epoch, std::int64_t batch) const {
    std::vector<std::int64_t> all;
    std::map<std::int64_t, std::int64_t> repetitions;  // of each sample, in this epoch
    for (std::int64_t i = 0; i < batches(batch); ++i)
      for (std::int64_t const id : of(static_cast<std::int64_t>(epoch) * episodes_ + i)) all.push_back(id + size() * repetitions[id]++);
    return all;
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> of(std::int64_t number) const {
    episode const e = drawn_->at(number);
    random_stream draw(drawn_->options().seed, purpose::episode, 1, static_cast<std::uint64_t>(number));
    std::vector<std::int64_t> ids = e.support;
    ids.insert(ids.end(), e.query.begin(), e.query.end());
    auto const others = drawn_->from_other_classes(e, draw);
    ids.insert(ids.end(), others.begin(), others.end());
    return ids;
  }

  S whole_;
  std::shared_ptr<c2f::data::episodes const> drawn_;
  std::int64_t episodes_;
};
template <class S>
episode_batches(S, episode_options const&, std::int64_t) -> episode_batches<S>;

/// input_error if two splits share a class name: base and novel classes must be disjoint.
template <few_shot_split A, few_shot_split B>
void check_disjoint(A const& a, B const& b) {
  std::vector<std::string> const one = a.classes(), other = b.classes();
  std::set<std::string> const names(one.begin(), one.end());
  for (std::string const& name : other)
    if (names.contains(name))
      throw input_error("the class '" + name + "' is in both " + a.name() + " and " + b.name() + "; take it out of one of them");
}

/// The images of the given samples: [n, C, H, W] float, channels_last. Augmented if `augment` is not null.
template <split S>
[[nodiscard]] at::Tensor read_samples(S const& samples, std::span<std::int64_t const> ids, random_stream* augment = nullptr) {
  using image         = typename S::image;
  at::Tensor images   = at::empty({static_cast<std::int64_t>(ids.size()), image::channels, image::height, image::width},
                                  at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  std::int64_t truths = 1;
  for (std::int64_t const n : S::truth_dims) truths *= n;
  std::vector<typename S::truth_value> unused(static_cast<std::size_t>(truths));
  float* pixels = images.template mutable_data_ptr<float>();
  for (std::int64_t const id : ids) {
    samples.read(id, augment, pixels, unused.data());
    pixels += image::channels * image::height * image::width;
  }
  return images;
}

}  // namespace c2f::data
