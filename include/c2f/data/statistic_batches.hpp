// c2f/data/statistic_batches.hpp: batches of one statistic and one activation of each class, for a predictor of parameters.
//
//   c2f::data::statistic_batches<64> const train(activations, {.p_mean = 0.9, .batches = 250});
//   c2f::data::statistics const known = train.means();              // the mean of each class
//   c2f::fit(model, data, recipe.batch(train.rows()));              // data.train is train
//
// Qiao, Liu, Shen and Yuille, "Few-shot image recognition by predicting parameters from activations", CVPR 2018. Of R classes a
// batch has 2R rows: row k is the statistic of the k-th class, row R + k one of its activations, drawn uniformly. The statistic is the mean
// of the class with probability p_mean, else one activation, for each class independently. Truths are the classes, of statistics, too.
// Batch b of an epoch is a function of (seed, epoch, b): random_stream(seed, purpose::order, epoch, b).
//
// Ids 0 ... N - 1 are the N activations, N ... N + R - 1 the means.
// Cost: a few microseconds a batch. Errors: input_error for a p_mean outside of 0 ... 1, no batches, fewer than two classes, and a batch size
// that is not rows().
#pragma once

#include <map>
#include <vector>

#include <c2f/data/table.hpp>

namespace c2f::data {

using statistics = class_means;

struct statistic_options {
  double p_mean        = 0.9;  ///< the probability of the mean, as in the paper; its published code for mini-ImageNet has .3
  std::int64_t batches = 250;  ///< an epoch
};

/// A split whose batches have a statistic and an activation of each class; see the top of this file.
template <std::int64_t Channels>
class statistic_batches {
 public:
  using image                      = typename table<Channels>::image;
  using truth_value                = std::int64_t;
  static constexpr auto truth_dims = table<Channels>::truth_dims;

  statistic_batches(table<Channels> activations, statistic_options const& options = {})
      : activations_(std::move(activations)), options_(options), means_(activations_.means()) {
    auto const classes = means_.classes.numel();
    if (!(options.p_mean >= 0 && options.p_mean <= 1) || options.batches < 1 || classes < 2)
      throw input_error("batches of statistics of " + name() + " have p_mean " + std::to_string(options.p_mean) + ", " +
                        std::to_string(options.batches) + " batches an epoch and " + std::to_string(classes) +
                        " classes; p_mean is 0 to 1, batches 1 or more, and a classifier needs two classes");
    auto const* const number = means_.classes.const_data_ptr<std::int64_t>();
    std::map<std::int64_t, std::size_t> place;
    for (std::int64_t i = 0; i < classes; ++i) place[number[i]] = static_cast<std::size_t>(i);
    members_.resize(place.size());
    for (std::int64_t id = 0; id < activations_.size(); ++id) members_[place[activations_.label(id)]].push_back(id);
  }

  /// The mean of each class.
  [[nodiscard]] statistics const& means() const { return means_; }
  /// The samples of a batch, 2R.
  [[nodiscard]] std::int64_t rows() const { return 2 * means_.classes.numel(); }

  [[nodiscard]] std::int64_t size() const { return activations_.size() + rows() / 2; }
  [[nodiscard]] std::string name() const { return "statistics of " + activations_.name(); }
  [[nodiscard]] std::vector<std::string> const& classes() const { return activations_.classes(); }
  [[nodiscard]] std::uint64_t fingerprint() const {
    auto const hash = detail::hash_after(activations_.fingerprint(), std::to_string(options_.p_mean));
    return detail::hash_after(hash, static_cast<std::uint64_t>(options_.batches));
  }
  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const {
    if (id < activations_.size()) return activations_.read(id, augment, pixels, truth);
    std::int64_t const k = id - activations_.size();
    std::copy_n(means_.means.template const_data_ptr<float>() + k * Channels, Channels, pixels);
    *truth = means_.classes.template const_data_ptr<std::int64_t>()[k];
  }

  [[nodiscard]] std::int64_t batches(std::int64_t batch) const {
    if (batch != rows())
      throw input_error("a statistic and an activation of each class are " + std::to_string(rows()) + " samples, but a batch has " +
                        std::to_string(batch) + "; write .batch(" + std::to_string(rows()) + ")");
    return options_.batches;
  }
  [[nodiscard]] std::vector<std::int64_t> order(std::uint64_t seed, std::uint64_t epoch, std::int64_t batch) const {
    std::vector<std::int64_t> all;
    std::vector<std::int64_t> repetitions(static_cast<std::size_t>(size()));  // of each sample, in this epoch
    auto const add = [&](std::int64_t id) { all.push_back(id + size() * repetitions[static_cast<std::size_t>(id)]++); };
    for (std::int64_t b = 0; b < batches(batch); ++b) {
      random_stream draw(seed, purpose::order, epoch, static_cast<std::uint64_t>(b));
      auto const one_of = [&](std::vector<std::int64_t> const& ids) { return ids[draw.below(static_cast<std::uint32_t>(ids.size()))]; };
      for (std::size_t k = 0; k < members_.size(); ++k)
        add(draw.uniform() <= options_.p_mean ? activations_.size() + static_cast<std::int64_t>(k) : one_of(members_[k]));
      for (auto const& ids : members_) add(one_of(ids));
    }
    return all;
  }

 private:
  table<Channels> activations_;
  statistic_options options_;
  statistics means_;
  std::vector<std::vector<std::int64_t>> members_;  // the ids of each class
};

}  // namespace c2f::data
