// c2f/layers/pyramid_pooling.hpp: the pyramid pooling module of PSPNet.
//
//   c2f::pyramid_pooling<512, 1, 2, 3, 6>      [N, 2048, H, W] -> [N, 2048 + 4 * 512, H, W]
//
// Zhao et al., "Pyramid scene parsing network", CVPR 2017: x is averaged over 1x1, 2x2, 3x3 and 6x6 windows ("bins"); each of these maps
// goes through a 1x1 convolution to `Width` channels, a norm and ReLU, is resized to the size of x by bilinear interpolation, and all are
// concatenated behind x. Window b of B along n pixels is floor(b n / B) ... ceil((b + 1) n / B), as in adaptive average pooling, so windows
// may overlap and a map may be smaller than its bins. The branches are named "0", "1", ...
//
// All means are one matrix product, [windows, H W] times [H W, C], whose gradient is deterministic on a GPU, which that of ATen's adaptive
// pooling is not. Cost: that product, and for each branch a convolution, a norm and a resizing.
// Errors: an input that is not a map, and a number of bins below 1, are compile errors. In training a bin of 1x1 needs batches of two samples
// or more (layers/norm.hpp).
#pragma once

#include <c2f/core/static_check.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace c2f {

namespace detail {

template <std::int64_t Width, std::int64_t... Bins>
consteval bool check_pyramid_bins() {
  static_assert(sizeof...(Bins) > 0 && (... && (Bins >= 1)),
                "c2f::pyramid_pooling needs bins of 1 or more; write c2f::pyramid_pooling<512, 1, 2, 3, 6>");
  return true;
}

/// [bins, size]: row b has 1 / n in the n columns of window b, else 0.
inline at::Tensor window_means(std::int64_t size, std::int64_t bins, at::TensorOptions const& like) {
  at::TensorOptions const integers = like.dtype(at::kLong);
  at::Tensor const b = at::arange(bins, integers).unsqueeze(1).mul(size), i = at::arange(size, integers).mul(bins);
  // i is in window b where floor(b size / bins) <= i < ceil((b + 1) size / bins); both sides times bins.
  at::Tensor const in = i.gt(b.sub(bins)).logical_and(i.lt(b.add(size))).to(at::kDouble);
  return in.div(in.sum(1, /*keepdim=*/true));
}

}  // namespace detail

template <std::int64_t Width, std::int64_t... Bins>
struct pyramid_pooling : detail::static_check<detail::check_pyramid_bins<Width, Bins...>()> {
  template <shape In>
  struct on : detail::static_check<detail::check_map<pyramid_pooling, In>(), detail::check_channels<pyramid_pooling, In, Width>()> {
    static constexpr std::size_t count = sizeof...(Bins);
    using map                          = detail::as_map<In>;
    using output = detail::output_if<image_shape<In> && !detail::is_wrong<In>, widen<map, Width* static_cast<std::int64_t>(count)>>;
    using layers = sequential<conv<Width, 1>, batch_norm, relu>;

    std::tuple<network_on<layers, image<map::channels, (Bins < 1 ? 1 : Bins), (Bins < 1 ? 1 : Bins)>>...> branches;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      auto const format    = x.suggest_memory_format();
      std::int64_t const n = x.size(0), height = x.size(2), width = x.size(3);
      at::Tensor const all = means(height, width, x.options()).matmul(x.flatten(2).transpose(1, 2));  // [N, windows, C]
      std::vector<at::Tensor> joined{x};
      std::int64_t from = 0;
      auto const add    = [&](auto const& branch, std::int64_t side) {
        at::Tensor const pooled = all.narrow(1, from, side * side).transpose(1, 2).reshape({n, x.size(1), side, side});
        at::Tensor const y      = branch(pooled.contiguous(format), m);
        joined.push_back(resize_bilinear(y, height, width).contiguous(format));  // y of one pixel may have either format
        from += side * side;
      };
      [&]<std::size_t... I>(std::index_sequence<I...>) { (add(std::get<I>(branches), bins[I]), ...); }(std::make_index_sequence<count>());
      return at::cat(joined, 1);
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      int index = 0;
      std::apply([&](auto&... branch) { (f(std::to_string(index++), branch), ...); }, self.branches);
    }
    static constexpr std::int64_t count_of_parameters() {
      return static_cast<std::int64_t>(count) * parameter_count<std::tuple_element_t<0, decltype(branches)>>;
    }

   private:
    static constexpr std::array<std::int64_t, count> bins{Bins...};
    // [windows, H * W]: the weight of each pixel in each window.
    static at::Tensor means(std::int64_t height, std::int64_t width, at::TensorOptions const& like) {
      std::vector<at::Tensor> all;
      for (std::int64_t const b : bins) {
        at::Tensor const rows = detail::window_means(height, b, like), columns = detail::window_means(width, b, like);
        all.push_back(rows.view({b, 1, height, 1}).mul(columns.view({1, b, 1, width})).view({b * b, height * width}));
      }
      return at::cat(all).to(like.dtype());
    }
  };
};

}  // namespace c2f
