// c2f/layers/plain.hpp: layers that own nothing.
//
//   relu   leaky_relu<0.1>   identity   max_pool<3, 2, 1>   global_average_pool   flatten
//
// relu, leaky_relu (the slope below 0) and identity keep the shape; max_pool slides a window; global_average_pool turns [N, C, H, W] into
// [N, C] by the mean; flatten into [N, C*H*W]. One call each; identity none.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/execution/fused_operations.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/max_pool2d.h>

namespace c2f {

struct identity {
  template <shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x; }
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
/// `ceil`: the last windows may end outside of x.
inline at::Tensor max_pooled(at::Tensor const& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil = false) {
  if (auto const* const table = fused_for(x); table != nullptr && table->max_pool != nullptr && x.size(1) % 8 == 0 && kernel <= 16 &&
                                              x.is_contiguous(at::MemoryFormat::ChannelsLast))
    return table->max_pool(x, kernel, stride, padding, ceil);
  return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding}, {1, 1}, ceil);
}
}  // namespace detail

template <std::int64_t Kernel, std::int64_t Stride = Kernel, std::int64_t Padding = 0>
struct max_pool {
  template <shape In>
  struct on : detail::check_map<max_pool, In>,
              detail::check_pool_padding<max_pool, In, Kernel, Padding>,
              detail::check_window<max_pool, In, Kernel, Stride, Padding> {
    static constexpr bool fits =
        image_shape<In> && !detail::is_wrong<In> && Padding <= Kernel / 2 && window_fits<detail::as_map<In>, Kernel, Stride, Padding>;
    using output = detail::output_if<fits, strided<detail::as_map<In>, Kernel, Stride, Padding>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return detail::max_pooled(x, Kernel, Stride, Padding); }
  };
};

struct global_average_pool {
  template <shape In>
  struct on : detail::check_map<global_average_pool, In> {
    using output = detail::output_if<image_shape<In>, vector<In::channels>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x.mean({2, 3}); }
  };
};

struct flatten {
  template <shape In>
  struct on : detail::check_map<flatten, In>, detail::check_static_size<flatten, In> {
    using map                  = detail::as_map<In>;
    static constexpr bool fits = image_shape<In> && map::height != dynamic && map::width != dynamic;
    using output               = detail::output_if<fits, vector<fits ? map::channels * map::height * map::width : 1>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x.flatten(1); }
  };
};

}  // namespace c2f
