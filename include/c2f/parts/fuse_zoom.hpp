// c2f/parts/fuse_zoom.hpp: a fuse that enlarges the attended part of the image instead of masking the rest (WS-DAN's crop).
//
//   using fuse = c2f::fuse::zoom<0.5>;        // the bounding box of mask > .5 of its maximum, and a margin of .1 of the image
//   using fuse = c2f::fuse::zoom<0.5, 0.05>;
//
// x [N, C, H, W] and a mask z [N, 1, H, W] -> [N, C, H, W]: for each sample the bounding box of the pixels whose mask is above Threshold
// times its maximum, enlarged by Margin on each side, cut at the border, and stretched to the size of x bilinearly (Hu et al. 2019). A box
// has no gradient, so nothing of the fine loss reaches the mask. It is the side output "box", [N, 4]: left, top, right, bottom in units of
// the image, edges. Nothing is read from the device. For what the networks predict of the whole image, such as a class.
// Cost: two maxima over the mask and one resampling. Errors: a map of another size than the image, or of several channels, is a compile
// error (task/check.hpp); so are a threshold and a margin outside of [0, 1).
#pragma once

#include <c2f/parts/fuse.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/grid_sampler_2d.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

namespace c2f {

namespace detail {
template <auto Threshold, auto Margin>
consteval bool check_zoom() {
  static_assert(Threshold >= 0 && Threshold < 1 && Margin >= 0 && Margin < 1,
                "c2f::fuse::zoom needs a threshold and a margin from 0 to below 1; write c2f::fuse::zoom<0.5, 0.1>");
  return true;
}
}  // namespace detail

namespace fuse {

template <auto Threshold = 0.5, auto Margin = 0.1>
struct zoom : c2f::detail::static_check<c2f::detail::check_zoom<Threshold, Margin>()> {
  template <class Kind>
  static constexpr bool serves = vector_shape<typename Kind::template output<image<1, 1, 1>>>;

  template <class X, class Z>
  struct on;
  template <image_shape X, image_shape Z>
    requires(same_size<X, with_channels<Z, X::channels>> && Z::channels == 1)
  struct on<X, Z> {
    using output = X;
    C2F_MEMBERS();

    at::Tensor operator()(at::Tensor const& x, at::Tensor const& z, pass& p) const {
      at::Tensor const box = box_of(z.detach().to(at::kFloat));
      p.add_output("box", box);
      at::Tensor const across = lines(box.select(1, 0), box.select(1, 2), x.size(3)),
                       down   = lines(box.select(1, 1), box.select(1, 3), x.size(2));
      std::vector<std::int64_t> const sizes{x.size(0), x.size(2), x.size(3)};
      at::Tensor const grid = at::stack({across.unsqueeze(1).expand(sizes), down.unsqueeze(2).expand(sizes)}, 3);
      // In float: bfloat16 would round a position by as much as a pixel.
      return at::grid_sampler_2d(x.to(at::kFloat), grid, /*bilinear=*/0, /*border=*/1, /*align_corners=*/false).to(x.scalar_type());
    }

    /// [N, 4] of a mask [N, 1, H, W].
    static at::Tensor box_of(at::Tensor const& mask) {
      at::Tensor const inside  = mask.gt(mask.amax({2, 3}, true).mul(static_cast<double>(Threshold)));
      auto const [left, right] = ends(inside.amax({1, 2}));
      auto const [top, bottom] = ends(inside.amax({1, 3}));
      double const margin      = Margin;
      return at::stack({left.sub(margin), top.sub(margin), right.add(margin), bottom.add(margin)}, 1).clamp(0, 1);
    }

   private:
    // The first and the end of the last position that is set, in units of the line; the whole line where none is. set: [N, L] bool.
    static std::pair<at::Tensor, at::Tensor> ends(at::Tensor const& set) {
      std::int64_t const size   = set.size(1);
      at::Tensor const position = at::arange(size, at::TensorOptions(at::kFloat).device(set.device())).unsqueeze(0);
      at::Tensor const any      = set.amax(1);
      at::Tensor const first    = at::where(set, position, position.add(2 * size)).amin(1);
      at::Tensor const last     = at::where(set, position, position.sub(2 * size)).amax(1);
      return {first.mul(any).div(size), at::where(any, last.add(1), last.sub(last).add(size)).div(size)};
    }
    // grid_sampler's coordinates, -1 ... 1, of `size` pixels from a to b.
    static at::Tensor lines(at::Tensor const& a, at::Tensor const& b, std::int64_t size) {
      at::Tensor const middle = at::arange(size, a.options()).add(0.5).div(size).unsqueeze(0);
      return middle.mul(b.sub(a).unsqueeze(1)).add(a.unsqueeze(1)).mul(2).sub(1);
    }
  };
};

}  // namespace fuse
}  // namespace c2f
