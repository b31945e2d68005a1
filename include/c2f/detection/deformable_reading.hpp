// c2f/detection/deformable_reading.hpp: switchable atrous convolution with deformable convolutions, as DetectoRS was published.
//
//   using layer = c2f::switchable_atrous<64, 1, 1, c2f::deformable_reading>;
//   using block = c2f::dilated_basic_block<64, 1, 1, c2f::switchable<c2f::block_layers, c2f::deformable_reading>>;
//
// Each of the two convolutions has offsets of its own, a 3x3 convolution of the mean of 5x5 pixels that is initially zero (offset_s and offset_l,
// names of the published code), so that at first nothing is deformed. Without it, the published detector loses 1.0 AP (Qiao et al. 2021, table 3).
// Costs: on a CPU many times a plain convolution. Offsets and deformed convolutions are computed in float. Errors: those of the layer.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/detection/deformable_conv.hpp>
#include <c2f/layers/switchable_atrous.hpp>

#include <cstdint>

namespace c2f {

struct deformable_reading {
  template <shape In, std::int64_t Stride>
  struct on {
    using offsets = network_on<conv<18, 3, Stride, 1, bias, 1, initial::zeros>, In>;
    offsets offset_s, offset_l;
    C2F_MEMBERS(offset_s, offset_l);
    struct prepared {
      at::Tensor map, mean;  ///< in float, and the mean of 5x5 pixels, which the offsets are read from
      at::ScalarType type;
    };
    prepared prepare(at::Tensor const& x) const {
      at::Tensor const map = x.to(detail::wide(x));
      return {map, detail::mean_of_5x5(map, 1), x.scalar_type()};
    }
    at::Tensor operator()(prepared const& of, at::Tensor const& weight, std::int64_t dilation, bool large_dilation, mode m) const {
      at::Tensor const offset = (large_dilation ? offset_l : offset_s)(of.mean, m);
      return detection::deformable_conv(of.map, offset, {}, weight.to(of.map.scalar_type()), {},
                                        {.stride = Stride, .padding = dilation, .dilation = dilation})
          .to(of.type);
    }
  };
};

}  // namespace c2f
