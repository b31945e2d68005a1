// c2f/data/split.hpp: what a split is, and the first n samples of one.
//
//   static_assert(c2f::data::split<decltype(c2f::data::cifar100::train)>);
//   auto few = c2f::data::take(data.train, 512);       // a split again
//
// A split is a fixed list of samples, each an image and a truth: "train" or "test" of a data set. It is a cheap handle that is
// copied by value (the bytes are shared), and `read` may be called from many threads at once.
//
// Errors: take raises input_error when there are not that many samples.
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
///   S::truth_value   the type of a number of the truth, e.g. std::int64_t
///   S::truth_dims    std::array<std::int64_t, R>: the dimensions of a truth; {} for class vectors, {H, W} for masks
///   s.size()         how many samples; their ids are 0 ... size() - 1
///   s.name()         for messages
///   s.read(id, augment, pixels, truth)   writes H*W*C normalised floats, channels last, and the truth. augment is where
///                    crop and flip take their numbers from; null asks for the image as it is. Called from many threads.
template <class S>
concept split = image_shape<typename S::image> && std::copy_constructible<S> &&
                requires(S const& s, std::int64_t id, random_stream* augment, float* pixels, typename S::truth_value* truth) {
                  { S::truth_dims.size() } -> std::convertible_to<std::size_t>;
                  { s.size() } -> std::convertible_to<std::int64_t>;
                  { s.name() } -> std::convertible_to<std::string>;
                  s.read(id, augment, pixels, truth);
                };

/// What a model is trained on and judged by: a pair of splits of the same kind of sample.
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

  /// The split that the samples come from: what it can do beyond reading (pictures, class names) is found there.
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
