// Compile-time facts about dense maps.
#include <c2f/c2f.hpp>
#include <c2f/parts/encode_saliency.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/loss/sum.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/unet.hpp>

namespace {

using c2f::dense;
using c2f::image;

static_assert(c2f::output_kind<dense<1>> && c2f::output_kind<dense<21>>);
static_assert(c2f::distribution<dense<2>> && !c2f::distribution<dense<1>>);
static_assert(std::same_as<dense<5>::output<image<3, 7, c2f::dynamic>>, image<5, 7, c2f::dynamic>>);
static_assert(dense<5>::truth_dims<image<3, 7, 9>> == std::array<std::int64_t, 2>{7, 9});
static_assert(dense<1>::labels == 2 && dense<21>::labels == 21);

// A cropped image has dynamic size, and the networks accept it.
using cropped = c2f::fuse::crop<>::on<image<3, 32, 32>, c2f::no_map>::output;
static_assert(std::same_as<cropped, image<3, c2f::dynamic, c2f::dynamic>>);
static_assert(c2f::architecture_on<c2f::unet<3, 8, dense<1>>, cropped> && c2f::architecture_on<c2f::fcn8s<dense<1>>, cropped>);
static_assert(c2f::architecture_on<c2f::fcn<c2f::resnet_features<18, 3>, dense<19>>, cropped>);

// VGG-16's 14,714,688, fc6 and fc7, and three score layers of 21 classes.
static_assert(c2f::parameter_count<c2f::network_on<c2f::fcn8s<dense<21>>, image<3, 500, 500>>> ==
              14'714'688 + (512 * 49 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 256 + 512 + 3) * 21);

// A level of a U-Net: two convolutions without biases and their norms, before and after; the up-convolution; the head.
constexpr std::int64_t pair(std::int64_t in, std::int64_t out) { return 9 * in * out + 9 * out * out + 4 * out; }
static_assert(c2f::parameter_count<c2f::network_on<c2f::unet<1, 4, dense<1>>, image<3, 8, 8>>> ==
              pair(3, 4) + pair(4, 8) + (8 * 4 * 4 + 4) + pair(8, 4) + 4 + 1);

struct organ {
  using input   = image<3, 64, 64>;
  using network = c2f::unet<3, 8, dense<1>>;
};
static_assert(c2f::task<organ>);
using all = c2f::complete<organ>;
static_assert(std::same_as<all::encoder, c2f::encode::dense<>> && std::same_as<all::loss, c2f::loss::masked_cross_entropy<255>>);

struct cropped_organ : organ {
  using encoder = c2f::encode::saliency;
  using fuse    = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<20, 40, 8>>;
  using loss    = c2f::loss::sum<c2f::loss::dice<>, c2f::loss::weighted<c2f::loss::masked_cross_entropy<>, 0.5>>;
  using refine  = c2f::refine::until<0.95>;
  using source  = c2f::source::corrupt<>;
};
static_assert(c2f::task<cropped_organ>);

}  // namespace
