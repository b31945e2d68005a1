// c2f/core/shapes.hpp: the shapes of what flows between networks, as types.
//
//   using input = c2f::image<3, 32, 32>;               // a batch of them is a tensor [N, 3, 32, 32]
//   using wide  = c2f::widen<input, input::channels>;  // image<6, 32, 32>
//   using small = c2f::strided<input, 3, 2, 1>;        // image<3, 16, 16>: what a 3x3 window, stride 2, padding 1 leaves
//
// The batch size is never part of a shape. A height or width that is only known at run time is c2f::dynamic; channels are
// always known, since the parameters depend on them. No cost at run time.
#pragma once

#include <cstdint>
#include <type_traits>

namespace c2f {

/// A height or width that is only known at run time.
inline constexpr std::int64_t dynamic = -1;

/// A map: tensors [N, Channels, Height, Width]. Also the shape of inner feature maps.
template <std::int64_t Channels, std::int64_t Height, std::int64_t Width>
struct image {
  static_assert(Channels >= 0, "c2f::image needs 0 or more channels");
  static_assert((Height > 0 || Height == dynamic) && (Width > 0 || Width == dynamic), "c2f::image needs a height and a width of 1 or more, or c2f::dynamic");
  static constexpr std::int64_t channels = Channels, height = Height, width = Width;
};

/// A vector: tensors [N, Channels].
template <std::int64_t Channels>
struct vector {
  static_assert(Channels > 0, "c2f::vector needs 1 or more channels");
  static constexpr std::int64_t channels = Channels;
};

namespace detail {
template <class S> inline constexpr bool is_image = false;
template <std::int64_t C, std::int64_t H, std::int64_t W> inline constexpr bool is_image<image<C, H, W>> = true;
template <class S> inline constexpr bool is_vector = false;
template <std::int64_t C> inline constexpr bool is_vector<vector<C>> = true;
constexpr std::int64_t strided_size(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
  return in == dynamic ? dynamic : in + 2 * padding < dilation * (kernel - 1) + 1 ? 0 : (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}
constexpr std::int64_t or_one(std::int64_t size) { return size == 0 ? 1 : size; }
}  // namespace detail

template <class S> concept image_shape = detail::is_image<S>;
template <class S> concept vector_shape = detail::is_vector<S>;
/// A shape: an image or a vector.
template <class S> concept shape = image_shape<S> || vector_shape<S>;

namespace detail {
// What a layer goes on with when its input was of the wrong sort and it has said so: one mistake, one error.
template <class S> struct map_or_any { using type = image<1, 1, 1>; };
template <image_shape S> struct map_or_any<S> { using type = S; };
template <class S> using as_map = typename map_or_any<S>::type;
}  // namespace detail

/// The same map with other channels.
template <image_shape S, std::int64_t Channels> using with_channels = image<Channels, S::height, S::width>;
/// The same map with `More` channels beside its own: what the fine network's first layer reads after concatenation.
template <image_shape S, std::int64_t More> using widen = with_channels<S, S::channels + More>;

/// Whether a window of that size finds at least one place on the map.
template <image_shape S, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation = 1>
inline constexpr bool window_fits = detail::strided_size(S::height, Kernel, Stride, Padding, Dilation) != 0 && detail::strided_size(S::width, Kernel, Stride, Padding, Dilation) != 0;

/// The map that a sliding window (convolution or pooling) leaves; 1 high or wide where the window does not fit, so that the one
/// error about it is not followed by others.
template <image_shape S, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation = 1>
using strided = image<S::channels, detail::or_one(detail::strided_size(S::height, Kernel, Stride, Padding, Dilation)),
                      detail::or_one(detail::strided_size(S::width, Kernel, Stride, Padding, Dilation))>;

/// Equal, or equal wherever neither is dynamic.
template <shape A, shape B> inline constexpr bool same_size = std::is_same_v<A, B>;
template <std::int64_t C, std::int64_t H1, std::int64_t W1, std::int64_t H2, std::int64_t W2>
inline constexpr bool same_size<image<C, H1, W1>, image<C, H2, W2>> = (H1 == H2 || H1 == dynamic || H2 == dynamic) && (W1 == W2 || W1 == dynamic || W2 == dynamic);

}  // namespace c2f
