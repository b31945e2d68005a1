// c2f/layers/plain.hpp: layers without parameters.
//
//   relu   leaky_relu<0.1>   identity   unit_length   global_average_pool   flatten
//
// relu, leaky_relu (the argument is the slope below 0), identity and unit_length, which divides each vector [C] of [N, C] by its L2 norm, keep
// the shape; global_average_pool maps [N, C, H, W] to the mean
// [N, C]; flatten maps it to [N, C*H*W]. Cost: one call each; identity none. Errors: compile errors of layers/layer_check.hpp.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/leaky_relu.h>

namespace c2f {

struct identity {
  template <shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    value_of<In> operator()(value_of<In> const& x, mode) const { return x; }
  };
};

struct relu {
  template <shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x.relu(); }
  };
};

template <double Slope = 0.01>
struct leaky_relu {
  template <shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return at::leaky_relu(x, Slope); }
  };
};

namespace detail {
/// [N, C] -> [N, C], each row divided by its L2 norm, at least 1e-12.
inline at::Tensor unit_rows(at::Tensor const& rows) { return rows.div(rows.norm(2, {1}, true).clamp_min(1e-12)); }
}  // namespace detail

struct unit_length {
  template <shape In>
  struct on : detail::static_check<detail::check_vector<unit_length, In>()> {
    using output = detail::output_if<vector_shape<In>, In>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return detail::unit_rows(x); }
  };
};

struct global_average_pool {
  template <shape In>
  struct on : detail::static_check<detail::check_map<global_average_pool, In>()> {
    using output = detail::output_if<image_shape<In>, vector<In::channels>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x.mean({2, 3}); }
  };
};

struct flatten {
  template <shape In>
  struct on : detail::static_check<detail::check_map<flatten, In>(), detail::check_static_size<flatten, In>()> {
    using map                  = detail::as_map<In>;
    static constexpr bool fits = image_shape<In> && map::height != dynamic && map::width != dynamic;
    using output               = detail::output_if<fits, vector<fits ? map::channels * map::height * map::width : 1>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x.flatten(1); }
  };
};

}  // namespace c2f
