// c2f/layers/layer_check.hpp: all compile-time messages about the input of a layer.
//
// A layer that does not fit its input is one compile error: a message and the types involved. The layer's output is then wrong_shape, which
// later layers accept without a further message.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/static_check.hpp>

#include <cstddef>
#include <cstdint>

namespace c2f {

namespace detail {

template <class Layer, class In>
consteval bool check_map() {
  static_assert(image_shape<In> || mismatch<in_layer<Layer>, got<In>>,
                "this layer works on a map [channels, height, width] but stands after a vector; put it before the pooling or c2f::flatten, "
                "or leave it out");
  return true;
}

template <class Layer, class In>
consteval bool check_vector() {
  static_assert(vector_shape<In> || mismatch<in_layer<Layer>, got<In>>,
                "this layer works on a vector but stands after a map; put c2f::global_average_pool or c2f::flatten before it");
  return true;
}

template <class Layer, class In, std::int64_t Kernel, std::int64_t Stride, std::int64_t Padding, std::int64_t Dilation = 1>
consteval bool check_window() {
  constexpr bool valid = window_is_valid(Kernel, Stride, Padding, Dilation), reported = !image_shape<In> || is_wrong<In>;
  static_assert(valid || reported || mismatch<in_layer<Layer>>,
                "a window's kernel, stride and dilation must be 1 or more and its padding 0 or more; correct the one that is not");
  if constexpr (valid && !reported)
    static_assert(window_fits<In, Kernel, Stride, Padding, Dilation> || mismatch<in_layer<Layer>, got<In>>,
                  "the map is smaller than this layer's window; use a larger input, a smaller kernel or stride, or fewer layers before it");
  return true;
}

template <class Layer, class In, std::int64_t Kernel, std::int64_t Padding>
consteval bool check_pool_padding() {
  static_assert(Padding <= Kernel / 2 || Kernel < 1 || is_wrong<In> || mismatch<in_layer<Layer>>,
                "c2f::max_pool's padding is at most half of its kernel, so that no window lies outside of the map; write a smaller one");
  return true;
}

template <class Layer, class In, std::int64_t Channels>
consteval bool check_channels() {
  static_assert(Channels >= 1 || is_wrong<In> || mismatch<in_layer<Layer>>,
                "this layer makes no channels; write 1 or more, as in c2f::conv<16, 3> or c2f::linear<10>");
  return true;
}

template <class Layer, class In>
consteval bool check_static_size() {
  static_assert((as_map<In>::height != dynamic && as_map<In>::width != dynamic) || mismatch<in_layer<Layer>, got<In>>,
                "c2f::flatten needs a height and a width that are known while compiling; give the task's input its size, or use "
                "c2f::global_average_pool");
  return true;
}

template <class Layer, class Body, class Shortcut>
consteval bool check_sum() {
  static_assert(same_size<Body, Shortcut> || mismatch<in_layer<Layer>, got<Body>, wanted<Shortcut>>,
                "the two branches of c2f::residual end in different shapes; give the shortcut the body's channels and stride");
  return true;
}

template <class Layer, class Second, class First>
consteval bool check_repeat() {
  static_assert(
      same_size<Second, First> || mismatch<in_layer<Layer>, got<Second>, wanted<First>>,
      "c2f::repeat needs a block that keeps its shape from the second time on; give it stride 1 and as many channels as it reads");
  return true;
}

/// A stack between layers would follow the schedule of the task around it, and be supervised in addition to that task's outputs.
template <class Layer, class Net>
consteval bool check_unsupervised_layer() {
  if constexpr (supervises_itself<Net> && requires { requires supervised_kind<typename Net::kind>; }) {
    static_assert(
        mismatch<in_layer<Layer>>,
        "a c2f::stack that is trained on truths is no layer; make it the coarse or the fine network of a task, or c2f::frozen<...>");
    return false;
  } else {
    return true;
  }
}

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
    return check_unsupervised_layer<Layer, network_on<Layer, In>>();
  }
}

template <std::size_t Times>
consteval bool check_times() {
  static_assert(Times >= 1, "c2f::repeat needs a number of 1 or more");
  return true;
}

}  // namespace detail
}  // namespace c2f
