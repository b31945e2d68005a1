// c2f/networks/inception_v3.hpp: Inception-v3 as far as Mixed_6e, with torchvision's names.
//
//   using backbone = c2f::inception_v3_features<>;       // 768 channels: 17x17 of 299x299 pixels, 26x26 of 448x448
//   c2f::load_weights(net, "inception_v3.safetensors", {.without = {"Mixed_7", "AuxLogits", "fc."}});
//
// Szegedy et al., CVPR 2016; the backbone of Coarse2Fine and WS-DAN. torchvision's weights of ImageNet expect pixels in -1 ... 1 and not
// those normalised by ImageNet's mean and deviation, which c2f's readers give; the network begins with that change, as torchvision's
// transform_input. `Transform` false leaves it out, for training from random weights. Norms have an eps of 1e-3.
// 8,965,856 parameters. Sizes from 75x75. Errors: an input that is not a map of three channels is a compile error.
#pragma once

#include <c2f/layers/conv_rectangle.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <string>
#include <type_traits>

namespace c2f {

namespace detail::inception {

/// torchvision's BasicConv2d: relu(norm(convolution)).
template <class Conv>
struct unit {
  template <shape In>
  struct on {
    using output = typename network_on<Conv, In>::output;
    network_on<Conv, In> conv;
    network_on<batch_norm_with<1e-3>, output> bn;
    C2F_MEMBERS(conv, bn);
    at::Tensor operator()(at::Tensor const& x, mode m) const { return bn.then_relu(conv(x, m), m); }
  };
};
template <std::int64_t Out, std::int64_t Kernel = 1, std::int64_t Stride = 1, std::int64_t Padding = Stride == 1 ? Kernel / 2 : 0>
using square = unit<conv<Out, Kernel, Stride, Padding>>;
template <std::int64_t Out, std::int64_t Height, std::int64_t Width>
using line = unit<conv_rectangle<Out, Height, Width>>;

inline at::Tensor pooled(at::Tensor const& x) { return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}); }
template <class Unit, std::int64_t Channels, class Like>
using on_channels = network_on<Unit, with_channels<Like, Channels>>;

template <std::int64_t Pool>
struct block_a {
  template <shape In>
  struct on {
    using output = with_channels<In, 64 + 64 + 96 + Pool>;
    network_on<square<64>, In> branch1x1;
    network_on<square<48>, In> branch5x5_1;
    on_channels<square<64, 5>, 48, In> branch5x5_2;
    network_on<square<64>, In> branch3x3dbl_1;
    on_channels<square<96, 3>, 64, In> branch3x3dbl_2;
    on_channels<square<96, 3>, 96, In> branch3x3dbl_3;
    network_on<square<Pool>, In> branch_pool;
    C2F_MEMBERS(branch1x1, branch5x5_1, branch5x5_2, branch3x3dbl_1, branch3x3dbl_2, branch3x3dbl_3, branch_pool);
    at::Tensor operator()(at::Tensor const& x, mode m) const {
      return at::cat({branch1x1(x, m), branch5x5_2(branch5x5_1(x, m), m), branch3x3dbl_3(branch3x3dbl_2(branch3x3dbl_1(x, m), m), m),
                      branch_pool(pooled(x), m)},
                     1);
    }
  };
};
struct block_b {
  template <shape In>
  struct on {
    using small  = typename network_on<square<384, 3, 2>, In>::output;
    using output = with_channels<small, 384 + 96 + In::channels>;
    network_on<square<384, 3, 2>, In> branch3x3;
    network_on<square<64>, In> branch3x3dbl_1;
    on_channels<square<96, 3>, 64, In> branch3x3dbl_2;
    on_channels<square<96, 3, 2>, 96, In> branch3x3dbl_3;
    C2F_MEMBERS(branch3x3, branch3x3dbl_1, branch3x3dbl_2, branch3x3dbl_3);
    at::Tensor operator()(at::Tensor const& x, mode m) const {
      return at::cat({branch3x3(x, m), branch3x3dbl_3(branch3x3dbl_2(branch3x3dbl_1(x, m), m), m), detail::max_pooled(x, 3, 2, 0)}, 1);
    }
  };
};
template <std::int64_t Width>
struct block_c {
  template <shape In>
  struct on {
    using output = with_channels<In, 768>;
    network_on<square<192>, In> branch1x1;
    network_on<square<Width>, In> branch7x7_1;
    on_channels<line<Width, 1, 7>, Width, In> branch7x7_2;
    on_channels<line<192, 7, 1>, Width, In> branch7x7_3;
    network_on<square<Width>, In> branch7x7dbl_1;
    on_channels<line<Width, 7, 1>, Width, In> branch7x7dbl_2;
    on_channels<line<Width, 1, 7>, Width, In> branch7x7dbl_3;
    on_channels<line<Width, 7, 1>, Width, In> branch7x7dbl_4;
    on_channels<line<192, 1, 7>, Width, In> branch7x7dbl_5;
    network_on<square<192>, In> branch_pool;
    C2F_MEMBERS(branch1x1, branch7x7_1, branch7x7_2, branch7x7_3, branch7x7dbl_1, branch7x7dbl_2, branch7x7dbl_3, branch7x7dbl_4,
                branch7x7dbl_5, branch_pool);
    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor const once  = branch7x7_3(branch7x7_2(branch7x7_1(x, m), m), m);
      at::Tensor const twice = branch7x7dbl_5(branch7x7dbl_4(branch7x7dbl_3(branch7x7dbl_2(branch7x7dbl_1(x, m), m), m), m), m);
      return at::cat({branch1x1(x, m), once, twice, branch_pool(pooled(x), m)}, 1);
    }
  };
};

/// From pixels normalised by ImageNet's mean and deviation to pixels in -1 ... 1.
inline at::Tensor transformed(at::Tensor const& x) {
  // A number for each channel, so that nothing is copied to the device, which a graph capture refuses.
  auto const channel = [&](std::int64_t c, double mean, double deviation) {
    return x.narrow(1, c, 1).mul(deviation / 0.5).add((mean - 0.5) / 0.5);
  };
  return at::cat({channel(0, 0.485, 0.229), channel(1, 0.456, 0.224), channel(2, 0.406, 0.225)}, 1).contiguous(x.suggest_memory_format());
}

template <class In>
consteval bool check_inception_input() {
  static_assert(is_wrong<In> || (image_shape<In> && as_map<In>::channels == 3) || mismatch<got<In>>,
                "c2f::inception_v3_features reads pictures of three channels; write c2f::image<3, 299, 299>");
  return true;
}

}  // namespace detail::inception

/// [N, 3, H, W] -> [N, 768, h, w], of stride 16 (without padding at the beginning).
template <bool Transform = true>
struct inception_v3_features {
  template <shape In>
  struct on : detail::static_check<detail::check_map<inception_v3_features, In>(), detail::inception::check_inception_input<In>()> {
    template <std::int64_t Out, std::int64_t Kernel = 1, std::int64_t Stride = 1, std::int64_t Padding = 0>
    using unit = detail::inception::square<Out, Kernel, Stride, Padding>;
    template <class Net, class X>
    using after  = typename network_on<Net, X>::output;
    using map    = detail::as_map<In>;
    // The shapes after each layer that changes the size.
    using at1    = after<unit<32, 3, 2>, map>;
    using at2    = after<unit<32, 3>, at1>;
    using at3    = after<unit<64, 3, 1, 1>, at2>;
    using at4    = after<max_pool<3, 2>, at3>;
    using at5    = after<unit<80>, at4>;
    using at6    = after<unit<192, 3>, at5>;
    using at7    = after<max_pool<3, 2>, at6>;
    using at5b   = after<detail::inception::block_a<32>, at7>;
    using at5c   = after<detail::inception::block_a<64>, at5b>;
    using output = after<detail::inception::block_b, at5c>;

    network_on<unit<32, 3, 2>, map> Conv2d_1a_3x3;
    network_on<unit<32, 3>, at1> Conv2d_2a_3x3;
    network_on<unit<64, 3, 1, 1>, at2> Conv2d_2b_3x3;
    network_on<max_pool<3, 2>, at3> maxpool1;
    network_on<unit<80>, at4> Conv2d_3b_1x1;
    network_on<unit<192, 3>, at5> Conv2d_4a_3x3;
    network_on<max_pool<3, 2>, at6> maxpool2;
    network_on<detail::inception::block_a<32>, at7> Mixed_5b;
    network_on<detail::inception::block_a<64>, at5b> Mixed_5c;
    network_on<detail::inception::block_a<64>, at5c> Mixed_5d;
    network_on<detail::inception::block_b, at5c> Mixed_6a;
    network_on<detail::inception::block_c<128>, output> Mixed_6b;
    network_on<detail::inception::block_c<160>, output> Mixed_6c;
    network_on<detail::inception::block_c<160>, output> Mixed_6d;
    network_on<detail::inception::block_c<192>, output> Mixed_6e;
    C2F_MEMBERS(Conv2d_1a_3x3, Conv2d_2a_3x3, Conv2d_2b_3x3, maxpool1, Conv2d_3b_1x1, Conv2d_4a_3x3, maxpool2, Mixed_5b, Mixed_5c, Mixed_5d,
                Mixed_6a, Mixed_6b, Mixed_6c, Mixed_6d, Mixed_6e);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor const first = Conv2d_2b_3x3(Conv2d_2a_3x3(Conv2d_1a_3x3(Transform ? detail::inception::transformed(x) : x, m), m), m);
      at::Tensor const next  = maxpool2(Conv2d_4a_3x3(Conv2d_3b_1x1(maxpool1(first, m), m), m), m);
      at::Tensor const small = Mixed_6a(Mixed_5d(Mixed_5c(Mixed_5b(next, m), m), m), m);
      return Mixed_6e(Mixed_6d(Mixed_6c(Mixed_6b(small, m), m), m), m);
    }
  };
};

}  // namespace c2f
