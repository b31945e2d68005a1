// c2f/layers/switchable_atrous.hpp: switchable atrous convolution: a 3x3 convolution that looks at two distances and chooses at each place.
//
//   using layer  = c2f::switchable_atrous<64>;             // in the place of c2f::conv<64, 3>
//   using strided_layer = c2f::switchable_atrous<64, 2>;
//   using block  = c2f::dilated_basic_block<64, 1, 1, c2f::switchable<>>;          // both convolutions of a residual block
//   c2f::convert_weights(plain_net, net);                  // of one with conv to one with switchable_atrous: the same outputs
//
// Qiao et al., DetectoRS, CVPR 2021, eq. 2 and figure 4:  y = S conv(x, w, dilation) + (1 - S) conv(x, w + dw, 3 dilation),  with
// S = conv1x1(the mean of 5x5 pixels). S is not clamped, as in the published code. Before and after it, context: x + conv1x1(the mean of x). w is
// standardised: w = gamma (v - mean v) / deviation of v + beta for each filter of the stored weight v, in which gamma and beta are buffers that
// keep what loaded weights had (fill_standardisation). dw, the switch's weight and the contexts are initially 0, the switch's bias is 1, so
// that a converted network has the outputs of the plain one up to rounding. Names as in the published code: weight, weight_gamma, weight_beta,
// weight_diff, switch, pre_context, post_context.
//
// The mean of 5x5 pixels is taken of the one channel of the switch instead of all of x, which is the same since both are linear. At the border
// it reflects; the pixels are copied, since ATen's padding has no deterministic backward pass on CUDA.
// Costs: two convolutions and small ones, about 2.2 times a plain one. The standardisation is computed in float for bfloat16 maps.
// Errors: an input that is not a map or smaller than the window is a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/layers/conv.hpp>
#include <c2f/layers/residual.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

namespace initial {
/// The deviation of he_normal for 3x3 filters: standardised filters get it by this factor.
struct he_deviation_of_3x3 {
  static double draw(random_stream&, std::span<std::int64_t const> dims, std::int64_t) {
    return std::sqrt(2.0 / (9.0 * static_cast<double>(dims[0])));
  }
};
}  // namespace initial

namespace detail {

/// [Out, ...] -> mean and deviation of each filter, [Out, 1, 1, 1]; the variance is unbiased, with 1e-5 added.
inline std::pair<at::Tensor, at::Tensor> filter_statistics(at::Tensor const& weight) {
  at::Tensor const rows = weight.flatten(1), mean = rows.mean(1, /*keepdim=*/true);
  at::Tensor const variance = rows.sub(mean).square().sum(1, true).div(static_cast<double>(rows.size(1) - 1));
  return {mean.view({-1, 1, 1, 1}), variance.add(1e-5).sqrt().view({-1, 1, 1, 1})};
}
/// Two more pixels before and behind along a dimension, mirrored at the first and the last pixel.
inline at::Tensor reflected(at::Tensor const& x, std::int64_t dim) {
  std::int64_t const size = x.size(dim);
  auto const at           = [&](std::int64_t i) {
    std::int64_t const period = 2 * (size - 1), back = period == 0 ? 0 : ((i % period) + period) % period;
    return x.narrow(dim, back < size ? back : period - back, 1);
  };
  return at::cat({at(-2), at(-1), x, at(size), at(size + 1)}, dim);
}
/// The mean of the 5x5 pixels around every `stride`-th pixel, reflected at the border.
inline at::Tensor mean_of_5x5(at::Tensor const& x, std::int64_t stride) {
  return at::avg_pool2d(reflected(reflected(x, 2), 3), {5, 5}, {stride, stride});
}

}  // namespace detail

/// How the two convolutions read the map, after what they share is prepared once: at fixed places, or deformed (detection/deformable_reading.hpp).
struct fixed_reading {
  template <shape In, std::int64_t Stride>
  struct on {
    C2F_MEMBERS();
    /// What both convolutions read of the map.
    at::Tensor const& prepare(at::Tensor const& x) const { return x; }
    /// With this weight, a 3x3 kernel; large_dilation: the second convolution.
    at::Tensor operator()(at::Tensor const& x, at::Tensor const& weight, std::int64_t dilation, bool /*large_dilation*/, mode) const {
      std::array const stride{Stride, Stride}, by{dilation, dilation};
      return detail::counted_convolution(at::conv2d(x, weight.to(x.scalar_type()), {}, stride, by, by), weight);
    }
  };
};

template <std::int64_t Out, std::int64_t Stride = 1, std::int64_t Dilation = 1, class Reading = fixed_reading>
struct switchable_atrous {
  using plain = conv<Out, 3, Stride, Dilation, no_bias, Dilation>;  ///< what it stands in the place of

  template <shape In>
  struct on : detail::static_check<detail::check_map<switchable_atrous, In>(), detail::check_channels<switchable_atrous, In, Out>(),
                                   detail::check_window<switchable_atrous, In, 3, Stride, Dilation, Dilation>()> {
    using output                     = typename network_on<plain, In>::output;
    static constexpr std::int64_t in = detail::as_map<In>::channels;
    template <std::int64_t Width>
    using context = network_on<conv<Width, 1, 1, 0, bias, 1, initial::zeros>, image<Width, 1, 1>>;
    template <class Bias>
    using switch_conv = network_on<conv<1, 1, 1, 0, Bias, 1, initial::zeros>, image<in, dynamic, dynamic>>;

    parameter<initial::he_normal, Out, in, 3, 3> weight;
    buffer<initial::he_deviation_of_3x3, Out, 1, 1, 1> weight_gamma;
    buffer<initial::zeros, Out, 1, 1, 1> weight_beta;
    parameter<initial::zeros, Out, in, 3, 3> weight_diff;
    switch_conv<bias_from<initial::ones>> choose;
    context<in> pre_context;
    context<Out> post_context;
    using reading_net = typename Reading::template on<image<in, dynamic, dynamic>, Stride>;
    reading_net reading;

    at::Tensor operator()(at::Tensor const& input, mode m) const {
      at::Tensor const x = with_context(pre_context, input, m), s = detail::mean_of_5x5(choose(x, m), Stride);
      auto const [mean, deviation] = detail::filter_statistics(weight.tensor());
      at::Tensor const near_weight = weight.tensor().sub(mean).div(deviation).mul(weight_gamma.tensor()).add(weight_beta.tensor()),
                       far_weight  = near_weight.add(weight_diff.tensor());
      auto const& seen             = reading.prepare(x);
      at::Tensor const near = reading(seen, near_weight, Dilation, false, m), far = reading(seen, far_weight, 3 * Dilation, true, m);
      return with_context(post_context, far.add(near.sub(far).mul(s)), m);
    }

    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      f("weight", self.weight);
      f("weight_gamma", self.weight_gamma);
      f("weight_beta", self.weight_beta);
      f("weight_diff", self.weight_diff);
      f("switch", self.choose);
      f("pre_context", self.pre_context);
      f("post_context", self.post_context);
      detail::each_member_of<reading_net>(self.reading, f);
    }
    static constexpr std::int64_t count_of_parameters() {
      return 2 * Out * in * 9 + in + 1 + in * in + in + Out * Out + Out + parameter_count<reading_net>;
    }

   private:
    template <class Context>
    static at::Tensor with_context(Context const& of_mean, at::Tensor const& x, mode m) {
      return x.add(of_mean(x.mean({2, 3}, /*keepdim=*/true), m));
    }
  };
};

/// The layers of a ResNet block (layers/residual.hpp) with switchable convolutions, and the norms of `Layers`.
template <class Layers = block_layers, class Reading = fixed_reading>
struct switchable : Layers {
  template <std::int64_t Width, std::int64_t Stride, std::int64_t Dilation>
  using convolution = switchable_atrous<Width, Stride, Dilation, Reading>;
};

/// Sets weight_gamma and weight_beta of every switchable convolution so that it standardises its weight to itself: after weights of plain
/// convolutions were loaded. Returns their number.
template <class Net>
std::int64_t fill_standardisation(Net& net) {
  at::NoGradGuard const no_gradients;
  std::map<std::string, at::Tensor> all;
  for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const&) { all.emplace(path, each.tensor()); });
  std::int64_t count = 0;
  for (auto const& [path, gamma] : all) {
    constexpr std::string_view name = "weight_gamma";
    if (!path.ends_with(name)) continue;
    std::string const prefix     = path.substr(0, path.size() - name.size());
    auto const [mean, deviation] = detail::filter_statistics(all.at(prefix + "weight").detach());
    gamma.copy_(deviation);
    all.at(prefix + "weight_beta").copy_(mean);
    ++count;
  }
  return count;
}

/// Gives `to`, a network with switchable convolutions, the tensors of a plain one, and fills the standardisation: `to` then has the outputs of
/// `plain`. Errors: those of copy_tensors.
template <class Plain, class Net>
void convert_weights(Plain const& plain, Net& to) {
  copy_tensors(plain, to);
  fill_standardisation(to);
}

}  // namespace c2f
