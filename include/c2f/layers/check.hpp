// c2f/layers/check.hpp: every sentence that a layer says about its input, in one place.
//
// A layer that does not fit is one compile error: what is wrong, and the types that show it.
#pragma once

#include <c2f/core/shapes.hpp>

namespace c2f {

// Names that make a diagnostic readable: `mismatch<in_layer<...>, got<...>, wanted<...>> evaluates to false`.
template <class> struct in_layer;
template <class> struct in_task;
template <class> struct got;
template <class> struct wanted;
template <class...> inline constexpr bool mismatch = false;

namespace detail {

template <class Layer, class In>
struct check_map {
  static_assert(image_shape<In> || mismatch<in_layer<Layer>, got<In>>,
                "this layer works on a map [channels, height, width] but stands after a vector; put it before the pooling or c2f::flatten");
};

template <class Layer, class In>
struct check_vector {
  static_assert(vector_shape<In> || mismatch<in_layer<Layer>, got<In>>,
                "c2f::linear works on a vector but stands after a map; put c2f::global_average_pool or c2f::flatten before it");
};

template <class Layer, class In, bool Fits>
struct check_window {
  static_assert(Fits || mismatch<in_layer<Layer>, got<In>>,
                "the map is smaller than this layer's window; use a larger input, a smaller kernel or stride, or fewer layers before it");
};

template <class Layer, class In>
struct check_static_size {
  static_assert((image_shape<In> && as_map<In>::height != dynamic && as_map<In>::width != dynamic) || mismatch<in_layer<Layer>, got<In>>,
                "c2f::flatten needs a height and a width that are known while compiling; give the task's input its size, or use c2f::global_average_pool");
};

template <class Layer, class Body, class Shortcut>
struct check_sum {
  static_assert(same_size<Body, Shortcut> || mismatch<in_layer<Layer>, got<Body>, wanted<Shortcut>>,
                "the two branches of c2f::residual end in different shapes; give the shortcut the body's channels and stride");
};

}  // namespace detail
}  // namespace c2f
