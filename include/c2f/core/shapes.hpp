// c2f/core/shapes.hpp: tensor shapes as types.
//
//   using input = c2f::image<3, 32, 32>;               // a batch is a tensor [N, 3, 32, 32]
//   using wide  = c2f::widen<input, input::channels>;  // image<6, 32, 32>
//   using small = c2f::strided<input, 3, 2, 1>;        // image<3, 16, 16>: output of a 3x3 window, stride 2, padding 1
//   using levels = c2f::maps<c2f::image<8, 16, 16>, c2f::image<8, 8, 8>>;     // two maps, the levels of a pyramid
//
// The batch size is not part of a shape. A height or width that is only known at run time is c2f::dynamic; channels are always known,
// because the parameters depend on them. No cost at run time. Errors: an invalid size is a compile error.
#pragma once

#include <c2f/core/static_check.hpp>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

namespace c2f {

/// A height or width that is only known at run time.
inline constexpr std::int64_t dynamic = -1;

namespace detail {
template <std::int64_t Channels>
consteval bool check_image_channels() {
  static_assert(Channels >= 0, "c2f::image needs 0 or more channels; only its height and width may be c2f::dynamic");
  return true;
}
template <std::int64_t Height, std::int64_t Width>
consteval bool check_image_size() {
  static_assert((Height > 0 || Height == dynamic) && (Width > 0 || Width == dynamic),
                "c2f::image needs a height and a width of 1 or more; write c2f::image<channels, height, width>, with c2f::dynamic for a "
                "size that is only known at run time");
  return true;
}
template <std::int64_t Channels>
consteval bool check_vector_channels() {
  static_assert(Channels > 0, "c2f::vector needs 1 or more channels");
  return true;
}
constexpr std::int64_t or_one(std::int64_t size) { return size > 0 || size == dynamic ? size : 1; }
}  // namespace detail

/// An image or a feature map: tensors [N, Channels, Height, Width]. The default size 0 is invalid: image<3, 32> is rejected
/// with a message that names what is missing.
template <std::int64_t Channels, std::int64_t Height = 0, std::int64_t Width = 0>
struct image : detail::static_check<detail::check_image_channels<Channels>(), detail::check_image_size<Height, Width>()> {
  static constexpr std::int64_t channels = Channels < 0 ? 1 : Channels, height = detail::or_one(Height), width = detail::or_one(Width);
};

/// A vector: tensors [N, Channels].
template <std::int64_t Channels>
struct vector : detail::static_check<detail::check_vector_channels<Channels>()> {
  static constexpr std::int64_t channels = Channels > 0 ? Channels : 1;
};

/// Several shapes side by side, a tensor each (core/architecture.hpp, value_of): the levels of a feature pyramid, the frames of a video.
template <class... S>
struct maps {
  static constexpr std::size_t count = sizeof...(S);
  template <std::size_t I>
  using at = std::tuple_element_t<I, std::tuple<S...>>;
};

namespace detail {
/// The output of a layer that does not fit its input. Every layer accepts it, so that one mistake gives one error.
struct wrong_shape {
  static constexpr std::int64_t channels = 1, height = 1, width = 1;
};

template <class S>
inline constexpr bool is_wrong = std::is_same_v<S, wrong_shape>;
template <class S>
inline constexpr bool is_image = is_wrong<S>;
template <std::int64_t C, std::int64_t H, std::int64_t W>
inline constexpr bool is_image<image<C, H, W>> = true;
template <class S>
inline constexpr bool is_vector = is_wrong<S>;
template <std::int64_t C>
inline constexpr bool is_vector<vector<C>> = true;
template <class S>
inline constexpr bool is_maps = is_wrong<S>;
template <class... S>
inline constexpr bool is_maps<maps<S...>> = sizeof...(S) > 0 && (... && (is_image<S> || is_vector<S>));
constexpr bool window_is_valid(std::int64_t kernel, std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
  return kernel >= 1 && stride >= 1 && padding >= 0 && dilation >= 1;
}
constexpr std::int64_t strided_size(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                                    std::int64_t dilation) {
  if (!window_is_valid(kernel, stride, padding, dilation)) return 0;
  return in == dynamic                                    ? dynamic
         : in + 2 * padding < dilation * (kernel - 1) + 1 ? 0
                                                          : (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}
}  // namespace detail

template <class S>
concept image_shape = detail::is_image<S>;
template <class S>
concept vector_shape = detail::is_vector<S>;
/// Several images or vectors: c2f::maps.
template <class S>
concept maps_shape = detail::is_maps<S>;
/// A shape: an image, a vector, or several of them.
template <class S>
concept shape = image_shape<S> || vector_shape<S> || maps_shape<S>;

namespace detail {
// The input that a map layer assumes when its input is not a map.
template <class S>
struct map_or_any {
  using type = image<1, 1, 1>;
};
template <image_shape S>
struct map_or_any<S> {
  using type = S;
};
template <class S>
using as_map = typename map_or_any<S>::type;
/// The output of a layer, or wrong_shape if it does not fit.
template <bool Fits, class Output>
using output_if = std::conditional_t<Fits, Output, wrong_shape>;
}  // namespace detail

/// The same height and width with other channels.
template <image_shape S, std::int64_t Channels>
using with_channels = image<Channels, S::height, S::width>;
/// The map with `More` additional channels: the input of the fine network's first layer after concatenation.
template <image_shape S, std::int64_t More>
using widen = with_channels<S, S::channels + More>;

/// Whether a window of that size has at least one position on the map.
template <image_shape S, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation = 1>
inline constexpr bool window_fits = detail::strided_size(S::height, Kernel, Stride, Padding, Dilation) != 0 &&
                                    detail::strided_size(S::width, Kernel, Stride, Padding, Dilation) != 0;

/// The output shape of a sliding window (convolution or pooling); a side is 1 if the window does not fit.
template <image_shape S, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation = 1>
using strided = image<S::channels, detail::or_one(detail::strided_size(S::height, Kernel, Stride, Padding, Dilation)),
                      detail::or_one(detail::strided_size(S::width, Kernel, Stride, Padding, Dilation))>;

/// Whether two shapes are equal, up to dynamic sizes.
template <shape A, shape B>
inline constexpr bool same_size = std::is_same_v<A, B> || detail::is_wrong<A> || detail::is_wrong<B>;
template <std::int64_t C, std::int64_t H1, std::int64_t W1, std::int64_t H2, std::int64_t W2>
inline constexpr bool same_size<image<C, H1, W1>, image<C, H2, W2>> =
    (H1 == H2 || H1 == dynamic || H2 == dynamic) && (W1 == W2 || W1 == dynamic || W2 == dynamic);
template <class... A, class... B>
  requires(sizeof...(A) == sizeof...(B))
inline constexpr bool same_size<maps<A...>, maps<B...>> = (... && same_size<A, B>);

namespace detail {
constexpr bool at_most(std::int64_t size, std::int64_t most) { return size == dynamic || most == dynamic || size <= most; }
}  // namespace detail
/// Whether A is a map of B's channels that is as large as B or smaller: B at a fraction of its size.
template <class A, class B>
inline constexpr bool fraction_of = false;
template <image_shape A, image_shape B>
inline constexpr bool fraction_of<A, B> =
    A::channels == B::channels && detail::at_most(A::height, B::height) && detail::at_most(A::width, B::width);

}  // namespace c2f
