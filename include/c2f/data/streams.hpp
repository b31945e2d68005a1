// c2f/data/streams.hpp: batches composed of samples of several splits, in given numbers, e.g. labelled and unlabelled ones.
//
//   auto labelled = c2f::data::take(data.train, 4000);
//   c2f::data::streams train{c2f::data::stream{labelled, 32}, c2f::data::stream{c2f::data::unlabelled(data.train), 96}};
//   c2f::data::loader batches{train, {.batch = 128}};         // rows 0 ... 31 are labelled, rows 32 ... 127 are not
//
// A split again, in an order of its own (ordered_split): every batch has the rows of each stream, in the order of the streams, and no batch
// of an epoch is smaller. row_offsets() says which rows are whose.
//
// Epoch: as many batches as the longest stream needs for one pass, ceil(size / rows); another number with batches_an_epoch(). A stream that
// ends before the epoch begins again, in a new order. Pass p of stream s is shuffled by
// random_stream(seed, purpose::order, epoch, 1 + s + 2^32 p).
//
// Ids: those of stream 0, then those of stream 1 and so on (id_offsets()), so a sample that is in two streams has two ids, and is augmented
// in two ways. In pass p the id is `id + p * size()`: a sample that comes again within an epoch is augmented in another way.
//
// A faulty sample is replaced by one of its stream. An evaluation of the split reads every sample of every stream once.
//
// Cost: the shuffles of the passes, at the beginning of an epoch. Samples are read on the host, also those of splits that a GPU could hold
// (data/resident.hpp). Errors: input_error for a stream without samples or rows, for a number of batches below 1, and from batches() and
// order() for a batch that is not the sum of the rows. Streams of different images or truths, and a stream that composes batches itself,
// are a compile error.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/split.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace c2f::data {

/// A part of each batch: `rows` samples of a split.
template <split S>
struct stream {
  S samples;
  std::int64_t rows;
};
template <class S>
stream(S, std::int64_t) -> stream<S>;

/// A split without its truths: all numbers of a truth are `value`, which the loss must ignore. That is -100 for c2f::class_vector, the
/// ignored label for c2f::dense, and 0 for c2f::boxes.
template <split S>
class unlabelled : public detail::same_samples_as<S> {
  using detail::same_samples_as<S>::whole_;

 public:
  using typename detail::same_samples_as<S>::truth_value;
  using detail::same_samples_as<S>::truth_dims;

  explicit unlabelled(S whole, truth_value value) : detail::same_samples_as<S>(std::move(whole)), value_(value) {}
  explicit unlabelled(S whole)
    requires(std::same_as<typename S::truth_value, std::int64_t> && S::truth_dims.size() == 0)
      : unlabelled(std::move(whole), -100) {}

  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const {
    whole_.read(id, augment, pixels, truth);
    std::int64_t numbers = 1;
    for (std::int64_t const n : S::truth_dims) numbers *= n;
    std::fill_n(truth, numbers, value_);
  }
  [[nodiscard]] std::uint64_t fingerprint() const { return detail::hash_after(detail::samples_hash(whole_), "unlabelled"); }

 private:
  truth_value value_;
};

namespace detail {
template <class First, class Other>
consteval bool same_samples() {
  return std::same_as<typename First::image, typename Other::image> &&
         std::same_as<typename First::truth_value, typename Other::truth_value> && std::ranges::equal(First::truth_dims, Other::truth_dims);
}
template <class First, class... Others>
consteval bool check_streams() {
  constexpr bool same = (true && ... && same_samples<First, Others>()), unordered = !(ordered_split<First> || ... || ordered_split<Others>);
  static_assert(same || mismatch<got<Others>..., wanted<First>>,
                "the streams of a batch need the same image, truth_value and truth_dims, since they are rows of the same tensors");
  static_assert(!same || unordered || mismatch<got<First>, got<Others>...>,
                "a stream cannot compose batches itself; name its parts as streams of one c2f::data::streams");
  return true;
}

/// A stream without its samples.
struct stream_size {
  std::string name;
  std::int64_t size, rows;
};

/// The ids of an epoch of streams, batch by batch.
inline std::vector<std::int64_t> order_of(std::span<stream_size const> streams, std::int64_t batches, std::uint64_t seed,
                                          std::uint64_t epoch) {
  std::int64_t batch = 0, total = 0, first_row = 0, first_id = 0;
  for (auto const& each : streams) batch += each.rows, total += each.size;
  std::vector<std::int64_t> order(static_cast<std::size_t>(batches * batch)), pass;
  for (std::size_t s = 0; s < streams.size(); ++s) {
    auto const& [name, size, rows] = streams[s];
    for (std::int64_t i = 0; i < batches * rows; ++i) {
      std::int64_t const number = i / size;
      if (i % size == 0) {
        pass.resize(static_cast<std::size_t>(size));
        std::iota(pass.begin(), pass.end(), first_id + number * total);
        shuffle(pass, {seed, purpose::order, epoch, 1 + s + (static_cast<std::uint64_t>(number) << 32)});
      }
      order[static_cast<std::size_t>(i / rows * batch + first_row + i % rows)] = pass[static_cast<std::size_t>(i % size)];
    }
    first_row += rows;
    first_id += size;
  }
  return order;
}
}  // namespace detail

/// Several splits as one, whose batches have given numbers of samples of each; see the top of this file.
template <split First, split... Others>
class streams : c2f::detail::static_check<detail::check_streams<First, Others...>()> {
 public:
  using image                        = typename First::image;
  using truth_value                  = typename First::truth_value;
  static constexpr auto truth_dims   = First::truth_dims;
  static constexpr std::size_t count = 1 + sizeof...(Others);

  explicit streams(stream<First> first, stream<Others>... others)
      : samples_(std::move(first.samples), std::move(others.samples)...), sizes_(sizes_of({first.rows, others.rows...})) {
    for (std::size_t s = 0; s < count; ++s) {
      auto const& [name, size, rows] = sizes_[s];
      if (size < 1 || rows < 1)
        throw input_error("stream " + std::to_string(s) + " of a batch, " + name + ", has " + std::to_string(size) + " samples and " +
                          std::to_string(rows) + " rows of a batch; give it 1 or more of both");
      batches_ = std::max(batches_, detail::batches_of(size, rows));
    }
  }
  /// The same streams with epochs of n batches.
  [[nodiscard]] streams batches_an_epoch(std::int64_t n) const {
    if (n < 1) throw input_error("an epoch of streams cannot have " + std::to_string(n) + " batches; write 1 or more");
    streams changed  = *this;
    changed.batches_ = n;
    return changed;
  }

  /// Stream s has the rows row_offsets()[s] ... row_offsets()[s + 1] - 1 of each batch.
  [[nodiscard]] std::array<std::int64_t, count + 1> row_offsets() const { return offsets(&detail::stream_size::rows); }
  /// Stream s has the ids id_offsets()[s] ... id_offsets()[s + 1] - 1.
  [[nodiscard]] std::array<std::int64_t, count + 1> id_offsets() const { return offsets(&detail::stream_size::size); }
  /// The split of stream s.
  template <std::size_t S>
  [[nodiscard]] auto const& samples() const {
    return std::get<S>(samples_);
  }

  [[nodiscard]] std::int64_t size() const { return id_offsets().back(); }
  [[nodiscard]] std::string name() const {
    std::string all;
    for (auto const& each : sizes_) all += (all.empty() ? "" : " + ") + each.name;
    return all;
  }
  [[nodiscard]] std::string name_of(std::int64_t id) const
    requires(detail::has_names<First> && ... && detail::has_names<Others>)
  {
    std::string found;
    in_stream(id, [&](auto const& samples, std::int64_t own) { found = std::string(samples.name_of(own)); });
    return found;
  }
  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const {
    in_stream(id, [&](auto const& samples, std::int64_t own) { samples.read(own, augment, pixels, truth); });
  }
  /// A sample of the same stream.
  [[nodiscard]] std::int64_t replacement(std::int64_t id, random_stream& draw) const {
    std::int64_t drawn = id;
    in_stream(id, [&](auto const& samples, std::int64_t own) {
      drawn -= own;
      if constexpr (requires { samples.replacement(own, draw); })
        drawn += samples.replacement(own, draw);
      else
        drawn += draw.below(static_cast<std::uint32_t>(samples.size()));
    });
    return drawn;
  }

  [[nodiscard]] std::int64_t batches(std::int64_t batch) const {
    if (std::int64_t const rows = row_offsets().back(); rows != batch)
      throw input_error("the streams of " + name() + " have " + std::to_string(rows) + " rows in all, but a batch has " +
                        std::to_string(batch) + "; make them equal");
    return batches_;
  }
  [[nodiscard]] std::vector<std::int64_t> order(std::uint64_t seed, std::uint64_t epoch, std::int64_t batch) const {
    return detail::order_of(sizes_, batches(batch), seed, epoch);
  }

  [[nodiscard]] std::uint64_t fingerprint() const {
    return std::apply(
        [&](auto const&... samples) {
          std::uint64_t hash = detail::hash_after(detail::empty_hash, static_cast<std::uint64_t>(batches_));
          for (auto const& each : sizes_)
            for (auto const number : {each.size, each.rows}) hash = detail::hash_after(hash, static_cast<std::uint64_t>(number));
          ((hash = detail::hash_after(hash, detail::samples_hash(samples))), ...);
          return hash;
        },
        samples_);
  }
  [[nodiscard]] decltype(auto) classes() const
    requires requires(First const& s) { s.classes(); }
  {
    return std::get<0>(samples_).classes();
  }
  /// Of all streams, if it is the same.
  [[nodiscard]] static constexpr std::int64_t class_count()
    requires requires { requires((true && ... && (Others::class_count() == First::class_count())) && First::class_count() > 0); }
  {
    return First::class_count();
  }

 private:
  using sizes = std::array<detail::stream_size, count>;

  [[nodiscard]] sizes sizes_of(std::array<std::int64_t, count> const& rows) const {
    return std::apply(
        [&](auto const&... samples) {
          std::size_t s = 0;
          return sizes{detail::stream_size{std::string(samples.name()), samples.size(), rows[s++]}...};
        },
        samples_);
  }
  [[nodiscard]] std::array<std::int64_t, count + 1> offsets(std::int64_t detail::stream_size::* member) const {
    std::array<std::int64_t, count + 1> all{};
    for (std::size_t s = 0; s < count; ++s) all[s + 1] = all[s] + sizes_[s].*member;
    return all;
  }
  // Calls f(samples, id) with the stream of a sample, and the sample's id there.
  template <std::size_t S = 0, class F>
  void in_stream(std::int64_t id, F const& f) const {
    if constexpr (S + 1 < count)
      if (id >= sizes_[S].size) return in_stream<S + 1>(id - sizes_[S].size, f);
    f(std::get<S>(samples_), id);
  }

  std::tuple<First, Others...> samples_;
  sizes sizes_;
  std::int64_t batches_ = 0;
};

}  // namespace c2f::data
