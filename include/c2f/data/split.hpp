// c2f/data/split.hpp: the concepts `split` and `dataset`, and the first n samples of a split.
//
//   static_assert(c2f::data::split<decltype(c2f::data::cifar100::train)>);
//   auto few = c2f::data::take(data.train, 512);       // a split again
//
// A split is a fixed list of samples, each an image and a truth, e.g. the "train" or "test" part of a data set. It is a cheap handle,
// copied by value (copies share the data). `read` may be called from many threads at once.
//
// Layout of one sample, as `read` writes it:
//   pixels   H * W * C floats, row by row from the top, channels innermost (the memory format channels_last); colour images in RGB order.
//            They are normalised by the split: (value / 255 - mean) / deviation for photographs, 0...1 for volumes and Omniglot.
//   truth    the product of truth_dims values of truth_value, row-major. What a task of a kind trains on:
//              class_vector<K>   std::int64_t, {}:     the class, 0 ... K - 1
//              boxes<K>          float, {K, 5}:        a class: centre x, centre y, width, height as fractions of the image, and 1;
//                                                      or .5, .5, 0, 0 and 0 if the class is not in the image
//              dense<K, Ignore>  std::int64_t, {H, W}: a label a pixel, 0 ... K - 1 (0 and 1 if K is 1), or Ignore
//            Other truths exist for other losses, e.g. parts_at_scale: float heat maps {parts, rows, columns}.
//
// Errors: take throws input_error if the split has fewer samples than asked for.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>

namespace c2f::data {

/// A fixed list of samples.
///   S::image         the shape of an image, c2f::image<C, H, W>
///   S::truth_value   the element type of a truth: std::int64_t or float
///   S::truth_dims    std::array<std::int64_t, R>: the dimensions of one sample's truth
///   s.size()         the number of samples; their ids are 0 ... size() - 1
///   s.name()         used in messages
///   s.read(id, augment, pixels, truth)   writes pixels and truth in the layout above. `augment` is the source of the random numbers of
///                    crop, flip etc.; null disables augmentation. Throws input_error for a sample that cannot be read. Thread-safe.
/// Optional: classes(), the class names; static class_count(); label(id), the class without reading (episodes.hpp).
template <class S>
concept split = image_shape<typename S::image> && std::copy_constructible<S> &&
                requires(S const& s, std::int64_t id, random_stream* augment, float* pixels, typename S::truth_value* truth) {
                  { S::truth_dims.size() } -> std::convertible_to<std::size_t>;
                  { s.size() } -> std::convertible_to<std::int64_t>;
                  { s.name() } -> std::convertible_to<std::string>;
                  s.read(id, augment, pixels, truth);
                };

/// A training and a test split of the same kind of sample.
template <class D>
concept dataset = requires(D const& d) {
  requires split<std::remove_cvref_t<decltype(d.train)>>;
  requires split<std::remove_cvref_t<decltype(d.test)>>;
};

/// The first n samples of a split, as a split; made by take().
template <split S>
class taken {
 public:
  using image                      = typename S::image;
  using truth_value                = typename S::truth_value;
  static constexpr auto truth_dims = S::truth_dims;

  taken(S whole, std::int64_t n) : whole_(std::move(whole)), size_(n) {
    if (n < 1 || n > whole_.size())
      throw input_error("cannot take " + std::to_string(n) + " samples of " + std::string(whole_.name()) + ", which has " +
                        std::to_string(whole_.size()) + "; ask for 1 to " + std::to_string(whole_.size()));
  }

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::string name() const { return whole_.name(); }
  void read(std::int64_t id, random_stream* augment, float* pixels, truth_value* truth) const { whole_.read(id, augment, pixels, truth); }

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

 private:
  S whole_;
  std::int64_t size_;
};

/// The first n samples of a split; input_error unless 1 <= n <= size.
template <split S>
[[nodiscard]] taken<S> take(S whole, std::int64_t n) {
  return {std::move(whole), n};
}

}  // namespace c2f::data
