// c2f/layers/layer_check.hpp: every sentence that a layer says about its input, in one place.
//
// A layer that does not fit is one compile error: what is wrong, and the types that show it. Its output is then wrong_shape, and what
// stands behind it says nothing.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/static_check.hpp>

#include <cstddef>
#include <cstdint>

namespace c2f {

namespace detail {

template <class Layer, class In>
consteval bool says_map() {
  static_assert(image_shape<In> || mismatch<in_layer<Layer>, got<In>>,
                "this layer works on a map [channels, height, width] but stands after a vector; put it before the pooling or c2f::flatten, "
                "or leave it out");
  return true;
}
template <class Layer, class In, bool = says_map<Layer, In>()>
struct check_map {};

template <class Layer, class In>
consteval bool says_vector() {
  static_assert(vector_shape<In> || mismatch<in_layer<Layer>, got<In>>,
                "this layer works on a vector but stands after a map; put c2f::global_average_pool or c2f::flatten before it");
  return true;
}
template <class Layer, class In, bool = says_vector<Layer, In>()>
struct check_vector {};

template <class Layer, class In, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation>
consteval bool says_window() {
  constexpr bool one = window_is_one(Kernel, Stride, Padding, Dilation), said = !image_shape<In> || is_wrong<In>;
  static_assert(one || said || mismatch<in_layer<Layer>>,
                "a window's kernel, stride and dilation must be 1 or more and its padding 0 or more; correct the one that is not");
  if constexpr (one && !said)
    static_assert(window_fits<In, Kernel, Stride, Padding, Dilation> || mismatch<in_layer<Layer>, got<In>>,
                  "the map is smaller than this layer's window; use a larger input, a smaller kernel or stride, or fewer layers before it");
  return true;
}
template <class Layer, class In, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation = 1,
          bool = says_window<Layer, In, Kernel, Stride, Padding, Dilation>()>
struct check_window {};

template <class Layer, class In, std::int64_t Kernel, std::int64_t Padding>
consteval bool says_pool_padding() {
  static_assert(Padding <= Kernel / 2 || Kernel < 1 || is_wrong<In> || mismatch<in_layer<Layer>>,
                "c2f::max_pool's padding is at most half of its kernel, so that no window lies outside of the map; write a smaller one");
  return true;
}
template <class Layer, class In, std::int64_t Kernel, std::int64_t Padding, bool = says_pool_padding<Layer, In, Kernel, Padding>()>
struct check_pool_padding {};

template <class Layer, class In, std::int64_t Channels>
consteval bool says_channels() {
  static_assert(Channels >= 1 || is_wrong<In> || mismatch<in_layer<Layer>>,
                "this layer makes no channels; write 1 or more, as in c2f::conv<16, 3> or c2f::linear<10>");
  return true;
}
template <class Layer, class In, std::int64_t Channels, bool = says_channels<Layer, In, Channels>()>
struct check_channels {};

template <class Layer, class In>
consteval bool says_static_size() {
  static_assert((as_map<In>::height != dynamic && as_map<In>::width != dynamic) || mismatch<in_layer<Layer>, got<In>>,
                "c2f::flatten needs a height and a width that are known while compiling; give the task's input its size, or use "
                "c2f::global_average_pool");
  return true;
}
template <class Layer, class In, bool = says_static_size<Layer, In>()>
struct check_static_size {};

template <class Layer, class Body, class Shortcut>
consteval bool says_sum() {
  static_assert(same_size<Body, Shortcut> || mismatch<in_layer<Layer>, got<Body>, wanted<Shortcut>>,
                "the two branches of c2f::residual end in different shapes; give the shortcut the body's channels and stride");
  return true;
}
template <class Layer, class Body, class Shortcut, bool = says_sum<Layer, Body, Shortcut>()>
struct check_sum {};

template <class Layer, class Second, class First>
consteval bool says_repeat() {
  static_assert(
      same_size<Second, First> || mismatch<in_layer<Layer>, got<Second>, wanted<First>>,
      "c2f::repeat needs a block that keeps its shape from the second time on; give it stride 1 and as many channels as it reads");
  return true;
}
template <class Layer, class Second, class First, bool = says_repeat<Layer, Second, First>()>
struct check_repeat {};

template <class Layer, class In>
consteval bool layer_fits() {
  if constexpr (!architecture_on<Layer, In>) {
    static_assert(mismatch<in_layer<Layer>, got<In>>,
                  "this layer cannot be put on its input; a layer has 'template <c2f::shape In> struct on' with 'output', "
                  "'operator()(at::Tensor const&, c2f::mode) const' and C2F_MEMBERS(...)");
    return false;
  } else if constexpr (!walkable<network_on<Layer, In>>) {
    return check_members<Layer>();
  } else {
    return true;
  }
}

template <std::size_t Times>
consteval bool check_times() {
  static_assert(Times >= 1, "c2f::repeat needs a number of 1 or more");
  return true;
}

}  // namespace detail
}  // namespace c2f
