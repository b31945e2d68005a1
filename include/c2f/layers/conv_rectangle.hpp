// c2f/layers/conv_rectangle.hpp: a convolution with a window that is no square: 1x7, 7x1.
//
//   using factorised = c2f::sequential<c2f::conv_rectangle<128, 1, 7>, c2f::relu, c2f::conv_rectangle<128, 7, 1>>;
//
// As in Inception-v3 (Szegedy et al. 2016). [N, C, H, W] -> [N, Out, H, W]: stride 1, and padding that keeps the size, so both sides are odd. No bias (a norm follows). Weight
// [Out, C, Height, Width], initially he_normal. Cost: one convolution call. Errors: an input that is not a map and an even side are compile
// errors.
#pragma once

#include <c2f/layers/conv.hpp>

namespace c2f {

namespace detail {
template <std::int64_t Height, std::int64_t Width>
consteval bool check_rectangle() {
  static_assert(Height >= 1 && Width >= 1 && Height % 2 == 1 && Width % 2 == 1,
                "c2f::conv_rectangle keeps the size of its map, so its height and width are odd; write c2f::conv_rectangle<128, 1, 7>");
  return true;
}
}  // namespace detail

template <std::int64_t Out, std::int64_t Height, std::int64_t Width>
struct conv_rectangle : detail::static_check<detail::check_rectangle<Height, Width>()> {
  template <shape In>
  struct on : detail::static_check<detail::check_map<conv_rectangle, In>(), detail::check_channels<conv_rectangle, In, Out>()> {
    using output = detail::output_if<image_shape<In> && !detail::is_wrong<In> && Out >= 1, with_channels<detail::as_map<In>, Out>>;

    parameter<initial::he_normal, Out, In::channels, Height, Width> weight;
    C2F_MEMBERS(weight);
    folded_shift shift;  ///< of a folded norm

    at::Tensor operator()(at::Tensor const& x, mode) const {
      at::Tensor y =
          detail::counted_convolution(at::conv2d(x, weight.as(x), shift.as(x), {1, 1}, {Height / 2, Width / 2}), weight.tensor());
      if (auto* const folds = execution().folding; folds != nullptr) folds->observe_convolution(y, weight, shift);
      return y;
    }
  };
};

}  // namespace c2f
