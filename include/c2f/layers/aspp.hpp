// c2f/layers/aspp.hpp: atrous spatial pyramid pooling: a map at several dilations and as a whole.
//
//   using context = c2f::aspp<256, 3, 6, 9>;
//   using cascade = c2f::dense_cascade<4, context>;
//   using feedback = c2f::joined_aspp<256, 3, 6>;
//
// aspp: branches side by side, a 1x1 convolution, 3x3 ones with these dilations, and the mean of the map, joined by a 1x1 to 256 channels.
// joined_aspp: the same branches side by side, each of an equal part of the 256 channels with a bias and ReLU; no norm and no convolution after
// them (Qiao et al., DetectoRS, CVPR 2021: rates 3 and 6).
// dense_cascade: several of them, each on the input beside the outputs of those before it.
//
// Chen et al. 2017, "Rethinking atrous convolution"; the cascade of densely connected modules: Qiao et al. 2021, ViP-DeepLab. [N, C, H, W] ->
// [N, Width, H, W]. Every branch ends in a norm and ReLU; that of the mean, which is one value a channel and image, in a bias and ReLU.
// Cost: as many convolutions. Errors: an input that is not a map is a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/cat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace c2f {

template <std::int64_t Width, std::int64_t... Rates>
struct aspp {
  template <shape In>
  struct on {
    static constexpr std::int64_t branches = 2 + static_cast<std::int64_t>(sizeof...(Rates));
    using map                              = detail::as_map<In>;
    using point                            = sequential<conv<Width, 1, 1, 0>, batch_norm, relu>;
    using whole                            = sequential<conv<Width, 1, 1, 0, bias>, relu>;
    template <std::int64_t Rate>
    using dilated = sequential<conv<Width, 3, 1, Rate, no_bias, Rate>, batch_norm, relu>;
    using output  = with_channels<typename network_on<point, In>::output, Width>;
    using joined  = with_channels<output, Width * branches>;

    network_on<point, In> local;
    std::tuple<network_on<dilated<Rates>, In>...> rates;
    network_on<whole, with_channels<image<1, 1, 1>, map::channels>> pooled;
    network_on<point, joined> project;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      std::vector<at::Tensor> all{local(x, m)};
      std::apply([&](auto const&... rate) { (all.push_back(rate(x, m)), ...); }, rates);
      all.push_back(pooled(x.mean({2, 3}, /*keepdim=*/true), m).expand({-1, -1, x.size(2), x.size(3)}));
      return project(at::cat(all, 1), m);
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      f("local", self.local);
      int index = 0;
      std::apply([&](auto&... rate) { (f("rate" + std::to_string(index++), rate), ...); }, self.rates);
      f("pooled", self.pooled);
      f("project", self.project);
    }
    static constexpr std::int64_t count_of_parameters() {
      return (parameter_count<decltype(local)> + ... + parameter_count<network_on<dilated<Rates>, In>>)+parameter_count<decltype(pooled)> +
             parameter_count<decltype(project)>;
    }
  };
};

namespace detail {
template <std::int64_t Width, std::size_t Branches>
consteval bool check_joined_width() {
  static_assert(
      Width % static_cast<std::int64_t>(Branches) == 0 || mismatch<got<vector<Width>>>,
      "the channels of c2f::joined_aspp are shared equally by its branches, the dilations and two more; write a multiple of their "
      "number");
  return true;
}
}  // namespace detail

/// Branches of Width / (2 + the number of rates) channels, side by side.
template <std::int64_t Width, std::int64_t... Rates>
struct joined_aspp : detail::static_check<detail::check_joined_width<Width, 2 + sizeof...(Rates)>()> {
  template <shape In>
  struct on {
    static constexpr std::int64_t part = Width / (2 + static_cast<std::int64_t>(sizeof...(Rates)));
    using map                          = detail::as_map<In>;
    using point                        = sequential<conv<part, 1, 1, 0, bias>, relu>;
    template <std::int64_t Rate>
    using dilated = sequential<conv<part, 3, 1, Rate, bias, Rate>, relu>;
    using output  = with_channels<typename network_on<point, In>::output, Width>;

    network_on<point, In> local;
    std::tuple<network_on<dilated<Rates>, In>...> rates;
    network_on<point, with_channels<image<1, 1, 1>, map::channels>> pooled;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      std::vector<at::Tensor> all{local(x, m)};
      std::apply([&](auto const&... rate) { (all.push_back(rate(x, m)), ...); }, rates);
      all.push_back(pooled(x.mean({2, 3}, /*keepdim=*/true), m).expand({-1, -1, x.size(2), x.size(3)}));
      return at::cat(all, 1);
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      f("local", self.local);
      int index = 0;
      std::apply([&](auto&... rate) { (f("rate" + std::to_string(index++), rate), ...); }, self.rates);
      f("pooled", self.pooled);
    }
    static constexpr std::int64_t count_of_parameters() {
      return (parameter_count<decltype(local)> + ... + parameter_count<network_on<dilated<Rates>, In>>)+parameter_count<decltype(pooled)>;
    }
  };
};

/// `Times` modules of one output shape; the input of each is that of the first beside all outputs so far. The last one's output.
template <std::size_t Times, class Module>
struct dense_cascade : detail::static_check<detail::check_times<Times>()> {
  template <shape In>
  struct on {
    using output = typename network_on<Module, In>::output;
    template <std::size_t I>
    using seen = with_channels<detail::as_map<In>, detail::as_map<In>::channels + static_cast<std::int64_t>(I) * output::channels>;
    template <class Index>
    struct modules;
    template <std::size_t... I>
    struct modules<std::index_sequence<I...>> {
      using type = std::tuple<network_on<Module, seen<I>>...>;
      static constexpr std::int64_t count() { return (std::int64_t{0} + ... + parameter_count<network_on<Module, seen<I>>>); }
    };
    using all = modules<std::make_index_sequence<Times>>;

    typename all::type nets;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor so_far = x, y;
      std::apply([&](auto const&... net) { ((y = net(so_far, m), so_far = at::cat({so_far, y}, 1)), ...); }, nets);
      return y;
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      int index = 0;
      std::apply([&](auto&... net) { (f(std::to_string(index++), net), ...); }, self.nets);
    }
    static constexpr std::int64_t count_of_parameters() { return all::count(); }
  };
};

}  // namespace c2f
