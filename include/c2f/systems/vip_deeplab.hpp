// c2f/systems/vip_deeplab.hpp: ViP-DeepLab: panoptic labels and depth of a video, from pairs of frames.
//
//   using kind  = c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>;      // five classes, 88 metres
//   using model = c2f::systems::vip_deeplab<kind, c2f::image<6, 48, 64>, c2f::systems::vip_small>;
//   model net(1);
//   at::Tensor const raw = net(images, step);                               // two frames side by side; truths: data/panoptic_pairs.hpp
//
// Qiao et al. 2021. One network reads frames t and t + 1, side by side as six channels. The backbone runs on both. Of frame t: classes,
// the heat map of the centres, offsets to the centre of a pixel's instance, depth. Of frame t + 1: offsets to the centres that its instances
// have in frame t, from the features of both frames by a cascade of densely connected ASPP modules. Three decoders (semantic, instance, next)
// begin with ASPP, and take up the two finer maps of the backbone; heads are separable 5x5 convolutions and a 1x1; depth is read off the
// semantic decoder at twice the size. systems/vip_video.hpp makes labels of videos from this.
//
// With a configuration that has a source, an encoder and a schedule, the next-frame branch also sees the centres of frame t, to which its
// offsets go: the true ones with probability 1 - t, else those that the network predicts (progressive training, Ren et al. 2020):
//   struct mine : c2f::systems::vip_small {
//     using source   = c2f::source::sample;                                  // parts/source.hpp
//     using encoder  = c2f::encode::dense<>;                                 // of the heat map, averaged to the size of the coarsest map
//     using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;     // t from 0 to 1 in the first three fifths of the training
//   };
//
// Differences from the published system are in docs/video.md; among them: no recursive pyramid or switchable convolutions in the backbone, no
// dropout in ASPP.
//
// Costs: the backbone runs on two frames, the decoders on one. Errors: other inputs than two frames of three channels, and a
// configuration with some of source, encoder and schedule, are compile errors.
#pragma once

#include <c2f/layers/aspp.hpp>
#include <c2f/layers/depthwise.hpp>
#include <c2f/networks/levels.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/parts/schedule.hpp>
#include <c2f/parts/source.hpp>
#include <c2f/systems/vip_kind.hpp>

#include <ATen/ops/cat.h>

#include <array>
#include <cstdint>
#include <utility>

namespace c2f::detail {
template <class In>
consteval bool check_pair_of_frames() {
  static_assert(In::channels == 6 || mismatch<got<In>>,
                "c2f::systems::vip_deeplab reads two frames of three channels; write c2f::image<6, height, width>");
  return true;
}
template <class With>
consteval bool check_guide() {
  constexpr int parts = requires { typename With::source; } + requires { typename With::encoder; } + requires { typename With::schedule; };
  static_assert(
      parts == 0 || parts == 3 || mismatch<got<With>>,
      "the next-frame branch of c2f::systems::vip_deeplab sees centres if its configuration has source, encoder and schedule; write "
      "all three or none");
  return true;
}

// The part of a vip_deeplab whose next-frame branch sees the centres of frame t, or none.
template <class With, class Kind, class Deep>
struct seen_centres {
  static constexpr std::int64_t channels = 0;
  C2F_MEMBERS();
};
template <class With, class Kind, class Deep>
  requires requires { typename With::encoder; }
struct seen_centres<With, Kind, Deep> {
  static constexpr std::int64_t channels = Deep::channels;
  typename With::source::template on<Kind> source;
  typename With::encoder::template on<Kind, Deep> encoder;
  C2F_MEMBERS(source, encoder);
};
}  // namespace c2f::detail

namespace c2f::systems {

/// The channels of a decoder, and those to which the backbone's middle and fine map are brought.
template <std::int64_t Decoder, std::int64_t Middle, std::int64_t Fine>
struct vip_widths {
  static constexpr std::int64_t decoder = Decoder, middle = Middle, fine = Fine;
};
/// A configuration: the published widths with ResNet-50.
struct vip_published {
  using backbone                              = resnet_levels<50, 32>;
  using context                               = aspp<256, 3, 6, 9>;
  using cascade                               = dense_cascade<4, aspp<256, 3, 6, 9>>;
  using semantic                              = vip_widths<256, 64, 32>;
  using instance                              = vip_widths<128, 32, 16>;
  static constexpr std::int64_t semantic_head = 256, instance_head = 32, depth_head = 64;
};
/// For frames of about 48 x 64, on one core.
struct vip_small {
  using backbone                              = small_levels<16, 32, 64>;
  using context                               = aspp<32, 1, 2, 3>;
  using cascade                               = dense_cascade<4, aspp<32, 1, 2, 3>>;
  using semantic                              = vip_widths<32, 24, 16>;
  using instance                              = vip_widths<32, 24, 16>;
  static constexpr std::int64_t semantic_head = 24, instance_head = 16, depth_head = 16;
};

/// A decoder on the map `Deep` that its context has made and the backbone's finer maps, [N, Widths::decoder, h, w] of the finest map's size.
template <class Widths, image_shape Deep, image_shape Middle, image_shape Fine>
struct vip_decoder {
  template <std::int64_t Width>
  using project = sequential<conv<Width, 1, 1, 0>, batch_norm, relu>;
  using output  = with_channels<Fine, Widths::decoder>;

  network_on<project<Widths::middle>, Middle> middle;
  network_on<separable_conv<Widths::decoder, 5>, with_channels<Middle, Deep::channels + Widths::middle>> joined_middle;
  network_on<project<Widths::fine>, Fine> fine;
  network_on<separable_conv<Widths::decoder, 5>, with_channels<Fine, Widths::decoder + Widths::fine>> joined_fine;
  C2F_MEMBERS(middle, joined_middle, fine, joined_fine);

  at::Tensor operator()(at::Tensor const& deep, at::Tensor const& of_middle, at::Tensor const& of_fine, mode m) const {
    auto const beside = [](at::Tensor const& map, at::Tensor const& like) {
      return at::cat({resize_bilinear(map, like.size(2), like.size(3)), like}, 1);
    };
    return joined_fine(beside(joined_middle(beside(deep, middle(of_middle, m)), m), fine(of_fine, m)), m);
  }
};

/// The model; see the top of this file.
template <class Kind, image_shape In, class With = vip_published>
struct vip_deeplab : c2f::detail::static_check<c2f::detail::check_pair_of_frames<In>(), c2f::detail::check_guide<With>()>,
                     c2f::detail::scheduled_as<With> {
  static constexpr char const* name = "vip-deeplab";
  using input                       = In;
  using kind                        = Kind;
  using parts                       = typename Kind::parts;

  using levels = network_on<typename With::backbone, with_channels<In, 3>>;
  using fine   = typename levels::output::template at<0>;
  using middle = typename levels::output::template at<1>;
  using deep   = typename levels::output::template at<2>;
  using guide  = c2f::detail::seen_centres<With, typename parts::centre::kind, deep>;
  using both   = with_channels<deep, 2 * deep::channels + guide::channels>;
  template <class Context, class From, class Widths>
  using decoder = vip_decoder<Widths, typename network_on<Context, From>::output, middle, fine>;
  template <std::int64_t Width, class Part, std::int64_t From>
  using head = network_on<sequential<separable_conv<Width, 5>, conv<Part::kind::template output<In>::channels, 1, 1, 0, bias>>,
                          with_channels<fine, From>>;

  levels backbone;
  network_on<typename With::context, deep> semantic_context, instance_context;
  network_on<typename With::cascade, both> next_context;
  decoder<typename With::context, deep, typename With::semantic> semantic_decoder;
  decoder<typename With::context, deep, typename With::instance> instance_decoder;
  decoder<typename With::cascade, both, typename With::instance> next_decoder;
  head<With::semantic_head, typename parts::semantic, With::semantic::decoder> semantic;
  head<With::instance_head, typename parts::centre, With::instance::decoder> centre;
  head<With::instance_head, typename parts::offset, With::instance::decoder> offset;
  head<With::instance_head, typename parts::next_offset, With::instance::decoder> next_offset;
  head<With::depth_head, typename parts::depth, With::semantic::decoder> depth;
  guide centres;
  C2F_MEMBERS(backbone, semantic_context, instance_context, next_context, semantic_decoder, instance_decoder, next_decoder, semantic,
              centre, offset, next_offset, depth, centres);

  explicit vip_deeplab(std::uint64_t seed = 0) { initialize(*this, seed); }

  /// [N, 6, H, W] -> raw output of the kind, [N, channels, H, W].
  at::Tensor operator()(at::Tensor const& frames, pass& p) const {
    mode const m         = p.mode;
    std::int64_t const n = frames.size(0), height = frames.size(2), width = frames.size(3);
    auto const found = backbone(at::cat({frames.narrow(1, 0, 3), frames.narrow(1, 3, 3)}), m);  // frame t of all samples, then t + 1
    auto const now   = [&](std::size_t level) { return found[level].narrow(0, 0, n); };
    auto const next  = [&](std::size_t level) { return found[level].narrow(0, n, n); };
    at::Tensor const classes  = semantic_decoder(semantic_context(now(2), m), now(1), now(0), m);
    at::Tensor const instance = instance_decoder(instance_context(now(2), m), now(1), now(0), m);
    auto const full           = [&](at::Tensor const& raw) { return resize_bilinear(raw, height, width); };
    at::Tensor const heat     = full(centre(instance, m));
    at::Tensor const moved    = next_decoder(next_context(of_both(now(2), next(2), heat, p), m), next(1), next(0), m);
    at::Tensor const larger   = resize_bilinear(classes, 2 * classes.size(2), 2 * classes.size(3));
    at::Tensor const raw =
        at::cat({full(semantic(classes, m)), heat, full(offset(instance, m)), full(next_offset(moved, m)), full(depth(larger, m))}, 1);
    if (p.training()) kind::add_losses(p, raw);
    return raw;
  }

 private:
  // What the next-frame branch reads: the coarsest maps of both frames, and the centres of frame t if it sees them.
  at::Tensor of_both(at::Tensor const& now, at::Tensor const& next, at::Tensor const& heat, pass& p) const {
    if constexpr (guide::channels == 0) {
      return at::cat({now, next}, 1);
    } else {
      using centre_kind          = typename parts::centre::kind;
      at::Tensor const predicted = centre_kind::predict(heat);
      auto const truth           = [&] {
        return centre_kind::from_truth(kind::template truth_of<typename parts::centre>(p.truth)).to(predicted.scalar_type());
      };
      at::Tensor const seen = p.training() ? centres.source(predicted, truth(), p) : predicted;
      return at::cat({now, next, centres.encoder(seen, now, p)}, 1);
    }
  }
};

}  // namespace c2f::systems
