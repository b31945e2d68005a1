// c2f/data/loader.hpp: the batches of an epoch in a reproducible random order, prepared ahead by worker threads.
//
//   c2f::data::loader loader{data.train, {.batch = 128, .seed = 1, .threads = 2}};
//   for (c2f::data::batch const& b : loader.epoch(3)) use(b.images, b.truth);
//
// The order is a Fisher-Yates shuffle by random_stream(seed, purpose::order, epoch, 0); sample `id` is augmented by
// random_stream(seed, purpose::augment, epoch, id). So a batch depends on seed and epoch only, not on the number of threads. A split may
// compose its batches itself (ordered_split in data/split.hpp, e.g. data/streams.hpp).
//
// With shuffle, as in training, a last batch of a single sample is left out: norms cannot be trained on it, and the next epoch draws another
// order. An epoch of one sample alone is kept.
//
// One thread makes a whole batch. Batches wait in a ring of `prefetch` slots and are delivered in order. Leaving the loop early
// (break, return, an exception) stops the threads at the next sample and joins them.
//
// A sample whose read throws is replaced by random_stream(seed, purpose::replace, epoch, id).below(size), or by the split's replacement(),
// redrawn up to 16 times. loader.replaced() lists the samples and reasons; with option strict the error is rethrown instead. Any
// std::exception counts, as decoders of others throw their own, but for exhausted memory; another c2f::error than
// input_error and libtorch_error is passed on.
//
// With option labels the truths, integers, must be 0 ... count - 1 or `ignore`: another number, such as one of a class that the networks do
// not have, ends the epoch with an input_error that names the sample. Losses would read beyond their inputs, or leave it out in silence.
//
// loader.epoch(3, 100) begins at batch 100 of the epoch without reading the samples before it: for resuming an interrupted training.
//
// With option share several processes read the same epoch together. With shuffle each batch is divided: process r of n gets its samples r,
// r + n, r + 2n, ... A last batch that is smaller than the others and has fewer than two samples for each process is not divided; every
// process gets the whole of it (batch::whole is 0). Without shuffle, as in evaluation, process r gets the batches r, r + n, ...
//
// Costs: two allocations a batch (its tensors, which the caller may keep), and starting the threads once an epoch.
// Errors: input_error for an option out of range, and for an order of the split's own that does not make its batches; error for threads that
// the system does not start. What ends the epoch is thrown from the loop after the batches before: the error of a sample with `strict` or if
// no replacement can be read, std::bad_alloc, and what is no std::exception. Errors that are not of c2f are nested in a c2f::error that names
// split and sample.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <set>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <c2f/core/errors.hpp>
#include <c2f/core/labels.hpp>
#include <c2f/core/libtorch_error.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/execution/communicator.hpp>
#include <c2f/data/split.hpp>

namespace c2f::data {

/// A batch of N samples of a split.
struct batch {
  at::Tensor images;              ///< [N, C, H, W] float, memory format channels_last
  at::Tensor truth;               ///< [N, truth_dims...] of the split's truth_value (split.hpp)
  std::vector<std::int64_t> ids;  ///< the samples' ids, plus size for each repetition; for a replaced sample that of its replacement
  std::uint64_t epoch = 0;
  std::int64_t index  = 0;  ///< the batch's number within the epoch
  std::int64_t whole  = 0;  ///< the samples of the batch in all processes, if this process has a share of it; 0: it has the whole batch
};

/// How a loader makes batches.
struct loader_options {
  std::int64_t batch = 128;    ///< samples a batch; the last one of an epoch may be smaller
  std::uint64_t seed = 1;      ///< of order, augmentation and replacements
  int threads        = 1;      ///< 0: batches are made in the calling thread
  int prefetch       = 4;      ///< the number of batches prepared ahead
  bool shuffle       = true;   ///< false: every sample once, in the order of the ids, also of a split that composes its batches
  bool augment       = true;   ///< false: the split's read gets no random stream
  bool strict        = false;  ///< a sample that cannot be read ends the epoch instead of being replaced
  bool read          = true;   ///< false: batches have only their ids, for samples that are read elsewhere (resident.hpp)
  bool pinned        = false;  ///< batches are in page-locked memory, for asynchronous copies to a GPU
  process_share share{};       ///< of several processes

  c2f::detail::truth_labels labels{};  ///< that integer truths may have; a count of 0: any
};

/// The samples that a loader could not read, over all delivered batches.
struct replacements {
  std::set<std::int64_t> ids{};                   ///< the faulty samples
  std::int64_t total = 0;                         ///< the number of replacements
  std::map<std::int64_t, std::string> reasons{};  ///< by id: the messages of the errors; the 1,000 lowest ids
  friend bool operator==(replacements const&, replacements const&) = default;
};

namespace detail {
// Written so that no batch size overflows.
constexpr std::int64_t batches_of(std::int64_t samples, std::int64_t batch) { return samples / batch + (samples % batch != 0); }

/// The batches of an epoch of training: without a last one of a single sample.
constexpr std::int64_t training_batches_of(std::int64_t samples, std::int64_t batch) {
  return batches_of(samples, batch) - (batch > 1 && samples > 1 && samples % batch == 1);
}

/// A Fisher-Yates shuffle.
inline void shuffle(std::vector<std::int64_t>& ids, random_stream draw) {
  for (std::size_t left = ids.size(); left > 1; --left) std::swap(ids[left - 1], ids[draw.below(static_cast<std::uint32_t>(left))]);
}

/// 0 ... size - 1, ascending or in the random order of an epoch.
inline std::vector<std::int64_t> order_of(std::int64_t size, bool shuffled, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (shuffled) shuffle(order, {seed, purpose::order, epoch, 0});
  return order;
}

template <class S>
std::int64_t batches_of(S const& samples, loader_options const& options) {
  if constexpr (ordered_split<S>)
    if (options.shuffle) return samples.batches(options.batch);
  return options.shuffle ? training_batches_of(samples.size(), options.batch) : batches_of(samples.size(), options.batch);
}
/// The ids of an epoch, batch by batch.
template <class S>
std::vector<std::int64_t> order_of(S const& samples, loader_options const& options, std::uint64_t epoch) {
  if constexpr (ordered_split<S>)
    if (options.shuffle) {
      std::vector<std::int64_t> order = samples.order(options.seed, epoch, options.batch);
      std::int64_t const batches      = samples.batches(options.batch);
      if (batches_of(std::ssize(order), options.batch) != batches || std::ranges::any_of(order, [](std::int64_t id) { return id < 0; }))
        throw input_error("the split " + std::string(samples.name()) + " orders " + std::to_string(order.size()) + " samples in " +
                          std::to_string(batches) + " batches of " + std::to_string(options.batch) +
                          "; its order() has ids from 0 on, as many as a batch for each batch, and fewer only for the last one");
      return order;
    }
  return order_of(samples.size(), options.shuffle, options.seed, epoch);
}

/// The replacements of all epochs of a loader; thread-safe.
class replacement_record {
 public:
  void add(replacements const& batch) {
    std::lock_guard lock(mutex_);
    add_to_seen(batch);
    if (!shared_) return;
    fresh_.total += batch.total;
    fresh_.reasons.insert(batch.reasons.begin(), batch.reasons.end());
  }
  /// Those of another process.
  void add_of_others(replacements const& found) {
    std::lock_guard lock(mutex_);
    add_to_seen(found);
  }
  /// From now on take_fresh() returns what was added since its last call, without ids.
  void share() { shared_ = true; }
  [[nodiscard]] replacements take_fresh() {
    std::lock_guard lock(mutex_);
    return std::exchange(fresh_, {});
  }
  [[nodiscard]] replacements seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  void assign(replacements seen) {
    std::lock_guard lock(mutex_);
    seen_ = std::move(seen);
  }

 private:
  void add_to_seen(replacements const& found) {
    seen_.total += found.total;
    for (auto const& [id, reason] : found.reasons) {
      if (!seen_.ids.insert(id).second) continue;
      seen_.reasons.emplace(id, reason);
      if (seen_.reasons.size() > 1000) seen_.reasons.erase(std::prev(seen_.reasons.end()));
    }
  }
  mutable std::mutex mutex_;
  replacements seen_, fresh_;
  bool shared_ = false;
};
}  // namespace detail

/// The batches of one epoch: a single-pass range. Made by loader::epoch.
template <split S>
class epoch_batches {
 public:
  epoch_batches(S samples, loader_options const& options, std::uint64_t epoch, std::int64_t first,
                std::shared_ptr<detail::replacement_record> record)
      : samples_(std::move(samples)),
        options_(options),
        record_(std::move(record)),
        epoch_(epoch),
        order_(detail::order_of(samples_, options, epoch)),
        total_(own_batches(detail::batches_of(samples_, options), options)),
        claimed_(std::clamp<std::int64_t>(first, 0, total_)),
        delivered_(claimed_) {
    ring_.resize(static_cast<std::size_t>(std::min<std::int64_t>(options.prefetch, total_ - delivered_)));
    // More threads than slots in the ring could not all be busy.
    std::size_t const threads = std::min(static_cast<std::size_t>(options.threads), ring_.size());
    workers_.reserve(threads);
    try {
      for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this, stop = stop_.get_token()] { work(stop); });
    } catch (std::system_error const& failure) {
      close();  // there is no destructor of what was not made, and threads end by stop_ alone
      throw error("the loader cannot start " + std::to_string(threads) + " threads: " + failure.what() + "; choose fewer");
    }
  }
  epoch_batches(epoch_batches const&)            = delete;
  epoch_batches& operator=(epoch_batches const&) = delete;
  ~epoch_batches() { close(); }

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type  = std::ptrdiff_t;
    using value_type       = batch;
    explicit iterator(epoch_batches* of) : of_(of) {}
    [[nodiscard]] batch const& operator*() const { return of_->current_; }
    [[nodiscard]] batch const* operator->() const { return &of_->current_; }
    iterator& operator++() {
      of_->advance();
      return *this;
    }
    void operator++(int) { of_->advance(); }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const { return of_->ended_; }

   private:
    epoch_batches* of_;
  };
  [[nodiscard]] iterator begin() {
    advance();
    return iterator{this};
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }
  /// The next batch, without an iterator; nullptr after the last one.
  [[nodiscard]] batch const* next() {
    advance();
    return ended_ ? nullptr : &current_;
  }

 private:
  // A batch, or the error that prevented it.
  struct result {
    batch made;
    replacements replaced;
    std::exception_ptr error;
    bool ready = false;
  };

  result make(std::int64_t index, std::stop_token const& stop) const {
    result made;
    try {
      made.made = read_batch(index, made.replaced, stop);
    } catch (...) {
      made.error = std::current_exception();
    }
    made.ready = true;
    return made;
  }

  batch read_batch(std::int64_t index, replacements& replaced, std::stop_token const& stop) const {
    using image       = typename S::image;
    using truth_value = typename S::truth_value;
    batch b;
    b.epoch = epoch_;
    b.index = options_.shuffle ? index : options_.share.rank + index * options_.share.of;
    b.ids   = ids_of(b);
    if (!options_.read) return b;
    std::int64_t const n = std::ssize(b.ids);
    std::vector<std::int64_t> truth_sizes{n};
    truth_sizes.insert(truth_sizes.end(), S::truth_dims.begin(), S::truth_dims.end());
    b.images      = at::empty({n, image::channels, image::height, image::width},
                              at::TensorOptions(at::kFloat).pinned_memory(options_.pinned).memory_format(at::MemoryFormat::ChannelsLast));
    b.truth       = at::empty(truth_sizes, at::TensorOptions(c10::CppTypeToScalarType<truth_value>::value).pinned_memory(options_.pinned));
    float* pixels = b.images.template mutable_data_ptr<float>();
    truth_value* truth             = b.truth.template mutable_data_ptr<truth_value>();
    std::int64_t const pixels_each = image::channels * image::height * image::width, truths_each = b.truth.numel() / n;

    for (std::int64_t& id : b.ids) {
      if (stop.stop_requested()) break;  // the epoch was abandoned
      id = read_or_replace(id, pixels, truth, replaced);
      check_labels(id, truth, truths_each);
      pixels += pixels_each;
      truth += truths_each;
    }
    return b;
  }

  // The samples of a batch that this process reads; sets batch::whole.
  std::vector<std::int64_t> ids_of(batch& b) const {
    std::int64_t const first = b.index * options_.batch, n = std::min(options_.batch, std::ssize(order_) - first);
    auto const [rank, of] = options_.share;
    bool const divided    = options_.shuffle && of > 1 && (n == options_.batch || n >= 2 * of);
    if (!divided) return {order_.begin() + first, order_.begin() + first + n};
    b.whole = n;
    std::vector<std::int64_t> own;
    for (std::int64_t i = rank; i < n; i += of) own.push_back(order_[static_cast<std::size_t>(first + i)]);
    return own;
  }
  static std::int64_t own_batches(std::int64_t batches, loader_options const& options) {
    auto const [rank, of] = options.share;
    return options.shuffle ? batches : std::max<std::int64_t>(0, (batches - rank + of - 1) / of);
  }

  [[nodiscard]] std::string text_of_sample(std::int64_t id) const { return detail::text_of_sample(samples_, id % samples_.size()); }

  void read_sample(std::int64_t id, float* pixels, typename S::truth_value* truth) const {
    random_stream draw{options_.seed, purpose::augment, epoch_, static_cast<std::uint64_t>(id)};
    samples_.read(id % samples_.size(), options_.augment ? &draw : nullptr, pixels, truth);
  }
  // Called in a catch clause: throws the exception of a read as one of c2f. Out of line, so that reading stays small.
  [[noreturn, gnu::cold, gnu::noinline]] void rethrow_read(std::int64_t id) const {
    try {
      throw;
    } catch (libtorch_error const& failure) {
      std::throw_with_nested(input_error(text_of_sample(id) + " cannot be read: " + failure.what()));
    } catch (error const&) {
      throw;
    } catch (std::exception const& failure) {
      if (c2f::detail::is_out_of_memory(failure))
        std::throw_with_nested(error(text_of_sample(id) + " cannot be read: there is not enough memory; make batches or images smaller"));
      auto const* const of_libtorch = dynamic_cast<c10::Error const*>(&failure);
      std::throw_with_nested(input_error(
          text_of_sample(id) + " cannot be read: " + (of_libtorch != nullptr ? c2f::detail::first_line(*of_libtorch) : failure.what())));
    } catch (...) {
      std::throw_with_nested(
          error(text_of_sample(id) + " cannot be read: the split's read threw what is no std::exception; throw a c2f::input_error"));
    }
  }
  // The reason why a sample cannot be read; other exceptions are passed on.
  [[gnu::cold, gnu::noinline]] std::string reason_of(std::int64_t id, std::exception_ptr& first) const {
    try {
      rethrow_read(id);
    } catch (input_error const& failure) {
      if (options_.strict) throw;
      if (!first) first = std::current_exception();
      return failure.what();
    }
  }
  std::int64_t draw_replacement(std::int64_t sample, random_stream& draw) const {
    if constexpr (requires { samples_.replacement(sample, draw); })
      return samples_.replacement(sample, draw);
    else
      return draw.below(static_cast<std::uint32_t>(samples_.size()));
  }

  [[noreturn, gnu::cold, gnu::noinline]] void refuse_label(std::int64_t id, std::int64_t label) const {
    c2f::detail::throw_label(text_of_sample(id), label, options_.labels.count);
  }
  void check_labels([[maybe_unused]] std::int64_t id, [[maybe_unused]] typename S::truth_value const* truth,
                    [[maybe_unused]] std::int64_t count) const {
    if constexpr (std::same_as<typename S::truth_value, std::int64_t>)
      if (options_.labels.count > 0)
        for (std::int64_t i = 0; i < count; ++i)
          if (!c2f::detail::has_label(options_.labels, truth[i])) refuse_label(id, truth[i]);
    if constexpr (std::floating_point<typename S::truth_value>)
      if (std::int64_t const row = options_.labels.row; row > 0)
        for (std::int64_t i = 0; i + row <= count; i += row)
          if (truth[i + row - 1] != 0 && !(truth[i] >= 0 && truth[i] < static_cast<typename S::truth_value>(options_.labels.count)))
            refuse_label(id, truth[i] > -1e15 && truth[i] < 1e15 ? static_cast<std::int64_t>(truth[i]) : -1);
  }

  // Reads a sample or a replacement; returns the id that was read.
  std::int64_t read_or_replace(std::int64_t const wanted, float* pixels, typename S::truth_value* truth, replacements& replaced) const {
    random_stream draw{options_.seed, purpose::replace, epoch_, static_cast<std::uint64_t>(wanted)};
    std::exception_ptr first;
    std::int64_t id           = wanted;
    std::int64_t const sample = wanted % samples_.size();
    for (int draws = 0; draws <= 16; ++draws) {
      try {
        read_sample(id, pixels, truth);
        if (first) ++replaced.total;
        return id;
      } catch (...) {
        replaced.reasons.emplace(id % samples_.size(), reason_of(id, first));
      }
      id = wanted - sample + draw_replacement(sample, draw);
    }
    std::rethrow_exception(first);
  }

  void work(std::stop_token const& stop) {
    while (!stop.stop_requested()) {
      std::int64_t index = 0;
      {
        std::unique_lock lock(mutex_);
        slot_free_.wait(lock, stop, [this] { return claimed_ == total_ || claimed_ < delivered_ + slots(); });
        if (claimed_ == total_ || stop.stop_requested()) return;
        index = claimed_++;
      }
      result made = make(index, stop);
      std::lock_guard lock(mutex_);
      slot(index) = std::move(made);
      ready_.notify_one();
    }
  }

  void advance() {
    ended_ = delivered_ == total_;
    if (ended_) return;
    result next = workers_.empty() ? make(delivered_++, {}) : wait_for_next();
    if (next.error) {
      close();
      std::rethrow_exception(next.error);
    }
    // Of a batch that every process has, the first one counts the replacements.
    bool const counted_elsewhere = options_.share.rank > 0 && options_.shuffle && next.made.whole == 0;
    if (!next.replaced.reasons.empty() && !counted_elsewhere) record_->add(next.replaced);
    current_ = std::move(next.made);
  }

  result wait_for_next() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return slot(delivered_).ready; });
    result next = std::exchange(slot(delivered_), {});
    ++delivered_;
    slot_free_.notify_one();
    return next;
  }

  // Ends the epoch and joins the threads.
  void close() {
    stop_.request_stop();
    workers_.clear();  // joins
    delivered_ = total_;
    ended_     = true;
  }

  [[nodiscard]] std::int64_t slots() const { return static_cast<std::int64_t>(ring_.size()); }
  [[nodiscard]] result& slot(std::int64_t index) { return ring_[static_cast<std::size_t>(index) % ring_.size()]; }

  S samples_;
  loader_options options_;
  std::shared_ptr<detail::replacement_record> record_;
  std::uint64_t epoch_;
  std::vector<std::int64_t> order_;
  std::int64_t total_;
  batch current_;
  bool ended_ = false;

  std::mutex mutex_;  // guards ring_, claimed_ and delivered_; only the consumer writes delivered_
  std::vector<result> ring_;
  std::int64_t claimed_, delivered_;
  std::condition_variable ready_;
  std::condition_variable_any slot_free_;  // _any because it also wakes on a stop request
  std::stop_source stop_;
  std::vector<std::jthread> workers_;
};

/// Divides a split into batches, epoch by epoch.
template <split S>
class loader {
 public:
  static_assert(S::image::height != dynamic && S::image::width != dynamic,
                "c2f::data::loader stacks images into one tensor: their height and width must be known, not c2f::dynamic");

  explicit loader(S samples, loader_options const& options = {}) : samples_(std::move(samples)), options_(options) {
    check("batch", options.batch, 1);
    check("threads", options.threads, 0);
    check("prefetch", options.prefetch, 1);
    if (samples_.size() > std::numeric_limits<std::uint32_t>::max())
      throw input_error("the split " + std::string(samples_.name()) + " has " + std::to_string(samples_.size()) +
                        " samples; a loader shuffles at most 4294967295, so take() fewer");
    if (options_.shuffle && options_.batch < options_.share.of)
      throw input_error("a batch of " + std::to_string(options_.batch) + " samples cannot be shared by " +
                        std::to_string(options_.share.of) + " processes; choose a batch of " + std::to_string(options_.share.of) +
                        " or more, or fewer processes");
    if (options_.share.of > 1) record_->share();
    (void)batches();  // a split that composes its batches refuses a size that does not suit it
  }

  /// The number of batches of an epoch, of all processes together.
  [[nodiscard]] std::int64_t batches() const { return detail::batches_of(samples_, options_); }
  [[nodiscard]] S const& samples() const { return samples_; }
  [[nodiscard]] loader_options const& options() const { return options_; }

  /// The batches of an epoch, from number `first` on. The range may outlive the loader.
  [[nodiscard]] epoch_batches<S> epoch(std::uint64_t number, std::int64_t first = 0) const {
    return {samples_, options_, number, first, record_};
  }
  /// The samples that could not be read, in the batches delivered so far. May be called at any time, from any thread.
  [[nodiscard]] replacements replaced() const { return record_->seen(); }
  /// With a share: what could not be read since the last call, without ids; and adding that of another process.
  [[nodiscard]] replacements take_fresh() const { return record_->take_fresh(); }
  void count_others(replacements const& found) { record_->add_of_others(found); }
  /// Continues the counts of an earlier loader of the same samples.
  void count_from(replacements seen) { record_->assign(std::move(seen)); }

 private:
  static void check(char const* option, std::int64_t found, std::int64_t least) {
    if (found < least)
      throw input_error(std::string("the loader's option ") + option + " is " + std::to_string(found) + "; it must be " +
                        std::to_string(least) + " or more");
  }

  S samples_;
  loader_options options_;
  std::shared_ptr<detail::replacement_record> record_ = std::make_shared<detail::replacement_record>();
};

}  // namespace c2f::data
