// c2f/parts/fuse_crop.hpp: crops the input of the fine network to a region of interest.
//
//   using fuse = c2f::fuse::crop<>;                                              // margin 20, jitter 40
//   using fuse = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<>>;     // RSTN
//   using fuse = c2f::fuse::crop<20, 40, 16>;                                    // sides are multiples of 16, for a c2f::unet<4, ...>
//   using fuse = c2f::fuse::crop<20, 40, 1, c2f::fuse::by_truth_until<0.5>>;     // while t < .5 the truth determines the crop
//
// The crop is the bounding box of the foreground of the conditioning ỹ (probability at least .5), plus `Margin` pixels on each side,
// clipped to the image. Foreground is the single channel, or all channels but the first. Without foreground it is the bounding box of the
// truth in training, otherwise (or if the truth has none either) the whole image. In training, with probability .5, each of the four
// margins is drawn from 0 ... Jitter instead; a function of (seed, epoch, sample id). Ren et al. 2020, section 4.3; values, jitter and
// fallback as in the PyTorch code of RSTN (Yu et al., CVPR 2018).
//
// The boxes of a batch are enlarged symmetrically to the height and width of the largest one, rounded up to multiples of `Multiple`, and
// kept inside of the image, so that they form one batch. With several samples a sample's box thus depends on the others; RSTN trains with
// one. [N, C, H, W] -> [N, C, h, w].
//
// undo: places the fine network's raw output at its position in the image. Elsewhere the foreground logits are -9,999,999 (probability 0)
// and, with several classes, the background logit is 0 (probability 1). Foreground pixels outside of the box have no gradient:
// use c2f::loss::dice, since each of them adds ten million to the sum of a cross-entropy.
//
// Cost: the rows and columns of ỹ are copied to the host (such a pass is not captured); one copy of the crop (none for a single sample) and
// of the output.
// Errors: c2f::input_error for a conditioning that does not have the image's size (networks that share features) and for an image whose
// sides are not multiples of `Multiple`; the latter is a compile error if the size is static.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/parts/fuse.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace c2f::fuse {

/// The conditioning ỹ determines the crop.
struct by_conditioning {
  static bool truth(pass const&) { return false; }
};
/// In training while t < T the truth determines the crop, otherwise ỹ: the stages of RSTN.
template <auto T>
struct by_truth_until {
  static bool truth(pass const& p) { return p.training() && p.t < T; }
};

namespace detail {
template <std::int64_t Margin, std::int64_t Jitter, std::int64_t Multiple>
consteval bool check_crop() {
  static_assert(
      Margin >= 0 && Jitter >= 0 && Multiple >= 1,
      "c2f::fuse::crop needs a margin and a jitter of 0 pixels or more and a multiple of 1 or more; write c2f::fuse::crop<20, 40>");
  return true;
}
template <class X, std::int64_t Multiple>
consteval bool check_crop_size() {
  static_assert(
      ((X::height == dynamic || X::height % Multiple == 0) && (X::width == dynamic || X::width % Multiple == 0)) || mismatch<got<X>>,
      "the multiple of c2f::fuse::crop does not divide the image's height and width, so a part could be larger than the image; "
      "use another multiple, or another size for the task's input");
  return true;
}

/// An interval of rows or columns, in pixels.
struct interval {
  std::int64_t from = 0, size = 0;
  /// Extended by `before` and `after`, clipped to [0, limit).
  [[nodiscard]] interval widened(std::int64_t before, std::int64_t after, std::int64_t limit) const {
    std::int64_t const start = std::max<std::int64_t>(0, from - before);
    return {start, std::min(limit, from + size + after) - start};
  }
  /// Enlarged symmetrically to the size `wanted`, shifted to stay within [0, limit).
  [[nodiscard]] interval grown(std::int64_t wanted, std::int64_t limit) const {
    return {std::clamp<std::int64_t>(from - (wanted - size) / 2, 0, limit - wanted), wanted};
  }
};

/// From the first to the last flag set in row `sample` of flags [N, length]; size 0 if none is set.
inline interval extent_of(at::Tensor const& flags, std::int64_t sample) {
  std::int64_t const length = flags.size(1);
  bool const* const flag    = flags.const_data_ptr<bool>() + sample * length;
  bool const* const first   = std::find(flag, flag + length, true);
  bool const* last          = flag + length;
  while (last != first && !*(last - 1)) --last;
  return {first - flag, last - first};
}
}  // namespace detail

/// The crop of a sample, in pixels of the image.
struct crop_box {
  detail::interval rows, columns;
};

/// The cropping fuse; see the top of this file. `Margin` and `Jitter` are in pixels.
template <std::int64_t Margin = 20, std::int64_t Jitter = 40, std::int64_t Multiple = 1, class From = by_conditioning>
struct crop : c2f::detail::static_check<detail::check_crop<Margin, Jitter, Multiple>()> {
  /// Kinds whose raw output is a map of the image's size and whose truth is a map of labels.
  template <class Kind>
  static constexpr bool serves = image_shape<typename Kind::template output<image<1, dynamic, dynamic>>> && requires { Kind::labels; };

  /// The crops of a batch.
  struct parts {
    at::Tensor joined;
    std::vector<crop_box> boxes;  ///< one per sample, all of the same size
    std::int64_t height, width;   ///< of the image
    operator at::Tensor const&() const { return joined; }
  };

  template <class X, class Z>
  struct on;

  template <image_shape X, class Z>
  struct on<X, Z> : c2f::detail::static_check<detail::check_crop_size<X, Multiple>()> {
    using output = image<X::channels, dynamic, dynamic>;
    C2F_MEMBERS();

    parts operator()(at::Tensor const& x, at::Tensor const&, pass& p) const {
      parts crop  = locate(x, p);
      crop.joined = pixels_of(crop, x);
      return crop;
    }

    /// The crop of x * z, for in_turn<multiply, crop>. With a fused operation the product is computed only inside of the boxes.
    parts of_product(at::Tensor const& x, at::Tensor const& z, pass& p) const {
      parts crop = locate(x, p);
      std::vector<std::int64_t> corners;
      for (auto const& [rows, columns] : crop.boxes) corners.insert(corners.end(), {rows.from, columns.from});
      if (!crop.boxes.empty()) crop.joined = try_fused::multiply_crop(x, z, corners, crop.boxes[0].rows.size, crop.boxes[0].columns.size);
      if (!crop.joined.defined()) crop.joined = pixels_of(crop, x.mul(z));
      return crop;
    }

    at::Tensor undo(at::Tensor const& raw, parts const& crop) const {
      std::vector<at::Tensor> each;
      for (std::size_t i = 0; i < crop.boxes.size(); ++i) {
        auto const& [rows, columns] = crop.boxes[i];
        at::Tensor const sample     = raw.narrow(0, static_cast<std::int64_t>(i), 1);
        auto const placed           = [&](std::int64_t channel, std::int64_t channels, double fill) {
          std::int64_t const right = crop.width - columns.from - columns.size, below = crop.height - rows.from - rows.size;
          return at::constant_pad_nd(sample.narrow(1, channel, channels), {columns.from, right, rows.from, below}, fill);
        };
        std::int64_t const channels = raw.size(1);
        each.push_back(channels == 1 ? placed(0, 1, outside) : at::cat({placed(0, 1, 0), placed(1, channels - 1, outside)}, 1));
      }
      return each.size() == 1 ? each[0] : at::cat(each, 0);
    }

   private:
    static constexpr double outside = -9'999'999;

    static at::Tensor pixels_of(parts const& crop, at::Tensor const& x) {
      std::vector<at::Tensor> each;
      for (std::size_t i = 0; i < crop.boxes.size(); ++i) {
        auto const& [rows, columns] = crop.boxes[i];
        each.push_back(x.narrow(0, static_cast<std::int64_t>(i), 1).narrow(2, rows.from, rows.size).narrow(3, columns.from, columns.size));
      }
      return each.size() == 1 ? each[0] : at::cat(each, 0);
    }

    /// The boxes, without pixels.
    static parts locate(at::Tensor const& x, pass& p) {
      p.requires_host("c2f::fuse::crop, which looks for its boxes on the host");
      check(x, p);
      return {{}, boxes_of(x, p), x.size(2), x.size(3)};
    }

    static void check(at::Tensor const& x, pass const& p) {
      if (p.conditioning.dim() != 4 || p.conditioning.size(2) != x.size(2) || p.conditioning.size(3) != x.size(3))
        throw input_error("c2f::fuse::crop needs a prediction of the image's size, " + std::to_string(x.size(2)) + " x " +
                          std::to_string(x.size(3)) +
                          "; give the networks the kind c2f::dense<K>, and let them share c2f::share::nothing or c2f::share::weights");
      if (x.size(2) % Multiple != 0 || x.size(3) % Multiple != 0)
        throw input_error("c2f::fuse::crop takes images whose sides are multiples of " + std::to_string(Multiple) + ", found " +
                          std::to_string(x.size(2)) + " x " + std::to_string(x.size(3)) + "; pad or resize them");
    }

    // Which rows and columns of every sample contain foreground, on the host: [N, H] and [N, W].
    struct flags {
      at::Tensor rows, columns;
      explicit flags(at::Tensor const& foreground)
          : rows(foreground.any(2).to(at::kCPU).contiguous()), columns(foreground.any(1).to(at::kCPU).contiguous()) {}
      [[nodiscard]] crop_box box(std::int64_t sample) const {
        return {detail::extent_of(rows, sample), detail::extent_of(columns, sample)};
      }
    };
    static flags of_conditioning(pass const& p) {
      std::int64_t const channels = p.conditioning.size(1);
      // Not 1 - background: an ignored pixel is 0 in every channel.
      return flags((channels == 1 ? p.conditioning.select(1, 0) : p.conditioning.narrow(1, 1, channels - 1).sum(1)).ge(0.5));
    }
    static flags of_truth(pass const& p) {
      std::int64_t const labels = std::max<std::int64_t>(2, p.conditioning.size(1));
      return flags(p.truth.ge(1).logical_and(p.truth.lt(labels)));
    }

    static std::vector<crop_box> boxes_of(at::Tensor const& x, pass const& p) {
      std::int64_t const height = x.size(2), width = x.size(3);
      bool const truth = From::truth(p);
      flags const seen = truth ? of_truth(p) : of_conditioning(p);
      std::vector<crop_box> boxes;
      for (std::int64_t i = 0; i < x.size(0); ++i) {
        crop_box box = seen.box(i);
        if (box.rows.size == 0 && !truth && p.training()) box = of_truth(p).box(i);
        if (box.rows.size == 0) box = {{0, height}, {0, width}};
        std::array<std::int64_t, 4> margin{Margin, Margin, Margin, Margin};
        if (p.training()) {
          random_stream draw = p.draws(purpose::crop, i);
          if (draw.uniform() <= 0.5)
            for (auto& side : margin) side = draw.below(static_cast<std::uint32_t>(Jitter + 1));
        }
        boxes.push_back({box.rows.widened(margin[0], margin[1], height), box.columns.widened(margin[2], margin[3], width)});
      }
      std::int64_t high = 0, wide = 0;
      for (auto const& box : boxes) {
        high = std::max(high, box.rows.size);
        wide = std::max(wide, box.columns.size);
      }
      auto const rounded = [](std::int64_t size) { return (size + Multiple - 1) / Multiple * Multiple; };
      for (auto& box : boxes) box = {box.rows.grown(rounded(high), height), box.columns.grown(rounded(wide), width)};
      return boxes;
    }
  };
};

}  // namespace c2f::fuse
