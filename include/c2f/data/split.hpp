// c2f/data/split.hpp: the concepts `split` and `dataset`, parts of a split, and a validation split.
//
//   static_assert(c2f::data::split<decltype(c2f::data::cifar100::train)>);
//   auto few  = c2f::data::take(data.train, 512);                          // a split again
//   auto some = c2f::data::subset(data.train, {3, 5, 8});                  // likewise
//
// A split is a fixed list of samples, each an image and a truth, e.g. the "train" or "test" part of a data set. It is a cheap handle,
// copied by value (copies share the data). `read` may be called from many threads at once.
//
// Layout of one sample, as `read` writes it:
//   pixels   H * W * C floats, row by row from the top, channels innermost (the memory format channels_last); colour images in RGB order.
//            They are normalised by the split: (value / 255 - mean) / deviation for photographs, 0...1 for volumes and Omniglot.
//   truth    the product of truth_dims values of truth_value, row-major. What a task of a kind trains on:
//              class_vector<K>   std::int64_t, {}:     the class, 0 ... K - 1; or float, {K}: how much each class counts (data/mixed.hpp)
//              multi_label<K>    float, {K}:           1, 0, or c2f::unknown
//              regression<D>     float, {D}:           numbers, or c2f::unknown
//              boxes<K>          float, {K, 5}:        a class: centre x, centre y, width, height as fractions of the image, and 1;
//                                                      or .5, .5, 0, 0 and 0 if the class is not in the image
//              dense<K, Ignore>  std::int64_t, {H, W}: a label a pixel, 0 ... K - 1 (0 and 1 if K is 1), or Ignore
//            Other truths exist for other losses, e.g. parts_at_scale: float heat maps {parts, rows, columns}; or a list of objects, as
//            many as the image has: float, {most, width}, a row an object, whose last number is 1, then rows of zeros (data/objects.hpp).
//
// Errors: input_error from take if the split has fewer samples than asked for, and from subset for an id that the split does not have.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/core/static_check.hpp>

namespace c2f::data {

/// Names and values, such as "augmentation's scale" and .2.
using reading_settings = std::vector<std::pair<std::string, double>>;

/// A fixed list of samples.
///   S::image         the shape of an image, c2f::image<C, H, W>
///   S::truth_value   the element type of a truth: std::int64_t or float
///   S::truth_dims    std::array<std::int64_t, R>: the dimensions of one sample's truth
///   s.size()         the number of samples; their ids are 0 ... size() - 1
///   s.name()         used in messages
///   s.read(id, augment, pixels, truth)   writes pixels and truth in the layout above. `augment` is the source of the random numbers of
///                    crop, flip etc.; null disables augmentation. Throws input_error for a sample that cannot be read. Thread-safe.
/// Optional: classes(), the class names; static class_count(); label(id), the class without reading (episodes.hpp);
///   s.name_of(id)             a sample's name, such as its file's; checkpoints tell other samples by it (split_identity.hpp), or by
///   s.fingerprint()           a hash of which samples there are, in which order
///   s.settings()              reading_settings: how samples are read (augmentation, resizing, mixing), which a resumed training compares
///   s.replacement(id, draw)   the sample that replaces a faulty one, drawn from the random_stream `draw`; by default any sample
///   s.batches(batch), s.order(seed, epoch, batch)   batches of its own: ordered_split
/// A type that is no split gets an error that names the member with static_assert(checked_split<S>) (data/check_split.hpp).
template <class S>
concept split = image_shape<typename S::image> && std::copy_constructible<S> &&
                requires(S const& s, std::int64_t id, random_stream* augment, float* pixels, typename S::truth_value* truth) {
                  { S::truth_dims.size() } -> std::convertible_to<std::size_t>;
                  { s.size() } -> std::convertible_to<std::int64_t>;
                  { s.name() } -> std::convertible_to<std::string>;
                  s.read(id, augment, pixels, truth);
                };

/// A split that composes its batches itself, for training; an evaluation (loader_options::shuffle = false) reads each sample once, in the
/// order of the ids, as it does of any split.
///   s.batches(batch)              the number of batches of an epoch
///   s.order(seed, epoch, batch)   their samples, batch by batch: `batch` of each, and 1 ... batch of the last one. A sample may occur more
///                    than once: the id of its k-th repetition is `sample + k * size()`, so that it is augmented in another way than the
///                    0-th one. read() and replacement() get the sample, 0 ... size() - 1.
template <class S>
concept ordered_split = split<S> && requires(S const& s, std::uint64_t number, std::int64_t batch) {
  { s.batches(batch) } -> std::convertible_to<std::int64_t>;
  { s.order(number, number, batch) } -> std::convertible_to<std::vector<std::int64_t>>;
};

/// A training and a test split of the same kind of sample. Optional: a split `validation`.
template <class D>
concept dataset = requires(D const& d) {
  requires split<std::remove_cvref_t<decltype(d.train)>>;
  requires split<std::remove_cvref_t<decltype(d.test)>>;
};

/// A data set with a validation split: it is scored during a training, and `test` once at the end.
template <class D>
concept has_validation = dataset<D> && requires(D const& d) { requires split<std::remove_cvref_t<decltype(d.validation)>>; };

/// The split that is scored during a training: `validation` if the data set has one, else `test`.
template <dataset D>
[[nodiscard]] auto const& scored_split(D const& data) {
  if constexpr (has_validation<D>)
    return data.validation;
  else
    return data.test;
}

namespace detail {
/// "sample 3 (name) of SPLIT"; the name only if the split has names.
template <class S>
std::string text_of_sample(S const& samples, std::int64_t id) {
  std::string text = "sample " + std::to_string(id);
  if constexpr (requires { samples.name_of(id); }) text += " (" + std::string(samples.name_of(id)) + ')';
  return text + " of " + std::string(samples.name());
}

template <class S>
concept has_names = requires(S const& s, std::int64_t id) { s.name_of(id); };

/// Continues a hash with a text, or with a number.
[[nodiscard]] constexpr std::uint64_t hash_after(std::uint64_t hash, std::string_view text) {
  return hash_of("\xff", hash_of(text, hash));  // no UTF-8 text has this byte: the end of the text
}
[[nodiscard]] constexpr std::uint64_t hash_after(std::uint64_t hash, std::uint64_t number) {
  std::array<char, 8> bytes{};
  for (char& each : bytes) each = static_cast<char>(number & 0xff), number >>= 8;
  return hash_of({bytes.data(), bytes.size()}, hash);
}
inline constexpr std::uint64_t empty_hash = hash_of("");

/// The hash of a split's labels.
template <class S>
[[nodiscard]] std::uint64_t labels_hash(S const& samples) {
  std::uint64_t hash      = empty_hash;
  std::int64_t const size = samples.size();
  for (std::int64_t id = 0; id < size; ++id) hash = hash_after(hash, static_cast<std::uint64_t>(samples.label(id)));
  return hash;
}
/// The hash of a split's samples.
template <class S>
[[nodiscard]] std::uint64_t samples_hash(S const& samples) {
  if constexpr (requires { samples.fingerprint(); }) {
    return samples.fingerprint();
  } else if constexpr (has_names<S>) {
    std::uint64_t hash      = empty_hash;
    std::int64_t const size = samples.size();
    for (std::int64_t id = 0; id < size; ++id) hash = hash_after(hash, std::string_view(samples.name_of(id)));
    return hash;
  } else if constexpr (requires(std::int64_t id) { samples.label(id); }) {
    return labels_hash(samples);
  } else {
    return 0;
  }
}

/// How a split reads its samples; empty if it does not say so.
template <class S>
[[nodiscard]] reading_settings settings_of([[maybe_unused]] S const& samples) {
  if constexpr (requires {
                  { samples.settings() } -> std::convertible_to<reading_settings>;
                })
    return samples.settings();
  else
    return {};
}

/// What a split that is made of another one has from it.
template <split S>
class made_of {
 public:
  using image                      = typename S::image;
  using truth_value                = typename S::truth_value;
  static constexpr auto truth_dims = S::truth_dims;

  /// The underlying split, for members beyond those of `split` (pictures, file names).
  [[nodiscard]] S const& whole() const { return whole_; }
  [[nodiscard]] decltype(auto) classes() const
    requires requires(S const& s) { s.classes(); }
  {
    return whole_.classes();
  }
  [[nodiscard]] static constexpr std::int64_t class_count()
    requires requires { S::class_count(); }
  {
    return S::class_count();
  }
  [[nodiscard]] reading_settings settings() const { return settings_of(whole_); }

 protected:
  explicit made_of(S whole) : whole_(std::move(whole)) {}
  S whole_;
};
/// Of a split with the same samples: also their names, replacements and batches.
template <split S>
class same_samples_as : public made_of<S> {
 protected:
  using made_of<S>::whole_;
  explicit same_samples_as(S whole) : made_of<S>(std::move(whole)) {}

 public:
  [[nodiscard]] std::int64_t size() const { return whole_.size(); }
  [[nodiscard]] std::string name() const { return std::string(whole_.name()); }
  [[nodiscard]] std::string name_of(std::int64_t id) const
    requires detail::has_names<S>
  {
    return std::string(whole_.name_of(id));
  }
  [[nodiscard]] std::int64_t replacement(std::int64_t id, random_stream& draw) const
    requires requires(S const& s) { s.replacement(id, draw); }
  {
    return whole_.replacement(id, draw);
  }
  [[nodiscard]] std::int64_t batches(std::int64_t batch) const
    requires ordered_split<S>
  {
    return whole_.batches(batch);
  }
  [[nodiscard]] std::vector<std::int64_t> order(std::uint64_t seed, std::uint64_t epoch, std::int64_t batch) const
    requires ordered_split<S>
  {
    return whole_.order(seed, epoch, batch);
  }
};

template <split S>
consteval bool check_taken() {
  static_assert(!ordered_split<S> || mismatch<got<S>>,
                "the first samples of a split that composes its batches are no batches; take those of the splits that it is made of");
  return true;
}
}  // namespace detail

/// The first n samples of a split, as a split; made by take().
template <split S>
class taken : public detail::made_of<S>, c2f::detail::static_check<detail::check_taken<S>()> {
  using detail::made_of<S>::whole_;

 public:
  using typename detail::made_of<S>::truth_value;

  taken(S whole, std::int64_t n) : detail::made_of<S>(std::move(whole)), size_(n) {
    if (n < 1 || n > whole_.size())
      throw input_error("cannot take " + std::to_string(n) + " samples of " + std::string(whole_.name()) + ", which has " +
                        std::to_string(whole_.size()) + "; ask for 1 to " + std::to_string(whole_.size()));
  }

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::string name() const { return whole_.name(); }
  [[nodiscard]] std::string name_of(std::int64_t id) const
    requires detail::has_names<S>
  {
    return std::string(whole_.name_of(id));
  }
  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const { whole_.read(id, augment, pixels, truth); }

  [[nodiscard]] std::uint64_t fingerprint() const { return detail::samples_hash(whole_); }  // beside size()
  [[nodiscard]] std::int64_t label(std::int64_t id) const
    requires requires(S const& s) { s.label(id); }
  {
    return whole_.label(id);
  }

 private:
  std::int64_t size_;
};

/// The first n samples of a split; input_error unless 1 <= n <= size.
template <split S>
[[nodiscard]] taken<S> take(S whole, std::int64_t n) {
  return {std::move(whole), n};
}

/// Some samples of a split, as a split; made by subset(), hold_out() and with_validation() (validation.hpp). An order of the whole split's own
/// (ordered_split) is not that of the subset.
template <split S>
class chosen : public detail::made_of<S> {
  using detail::made_of<S>::whole_;

 public:
  using typename detail::made_of<S>::truth_value;

  chosen(S whole, std::string name, std::vector<std::int64_t> ids)
      : detail::made_of<S>(std::move(whole)),
        name_(std::move(name)),
        ids_(std::make_shared<std::vector<std::int64_t> const>(std::move(ids))) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(ids_->size()); }
  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] std::string name_of(std::int64_t id) const
    requires detail::has_names<S>
  {
    return std::string(whole_.name_of(in_whole(id)));
  }
  [[nodiscard]] std::int64_t label(std::int64_t id) const
    requires requires(S const& s) { s.label(id); }
  {
    return whole_.label(in_whole(id));
  }
  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const {
    whole_.read(in_whole(id), augment, pixels, truth);
  }

  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t hash = detail::samples_hash(whole_);
    for (std::int64_t const id : *ids_) hash = detail::hash_after(hash, static_cast<std::uint64_t>(id));
    return hash;
  }
  /// The id in the underlying split of a sample of this subset.
  [[nodiscard]] std::int64_t in_whole(std::int64_t id) const { return (*ids_)[static_cast<std::size_t>(id)]; }

 private:
  std::string name_;
  std::shared_ptr<std::vector<std::int64_t> const> ids_;
};

/// The samples with these ids, in this order; input_error for an id that the split does not have.
template <split S>
[[nodiscard]] chosen<S> subset(S whole, std::vector<std::int64_t> ids) {
  std::string name = whole.name();
  for (std::int64_t const id : ids)
    if (id < 0 || id >= whole.size())
      throw input_error("a subset of " + name + " cannot have sample " + std::to_string(id) + "; its ids are 0 to " +
                        std::to_string(whole.size() - 1));
  return {std::move(whole), std::move(name), std::move(ids)};
}

}  // namespace c2f::data
