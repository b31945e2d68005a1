// c2f/detection/deformable_conv.hpp: a convolution whose kernel reads where offsets say (Dai et al., ICCV 2017; with a mask, Zhu et al., CVPR 2019).
//
//   at::Tensor const y = c2f::detection::deformable_conv(map, offset, {}, weight, {}, {.padding = 1});       // offset [N, 18, H, W] for 3 x 3
//
// Offsets are 2 G K channels, G groups of the input's channels that move together, K = kernel height x width: down and right of each element,
// in pixels; masks are G K channels and multiply. Points are interpolated bilinearly, outside of the map are zeros. Layouts, answers and gradients
// are those of torchvision's deform_conv2d.
//
// On a CPU the columns of 256 positions at a time are read with channels innermost and multiplied by the weights; maps in channels_last are not
// copied, and so are the answers. The backward pass reads them again. The gradient of a pixel is a sum in the order of the positions by one thread,
// so it has the same bytes every time. Elsewhere both are gathers of ATen, with memory for four times the columns.
//
// Costs: the multiply-adds of a convolution and 8 K for each number of the map that is read; several times a plain convolution on a CPU. About
// 6 s to compile, for torch/csrc/autograd/custom_function.h. Errors: input_error for tensors whose shapes do not fit.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace c2f::detection {

struct deformable_options {
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
};

namespace detail {

/// The sizes of a deformable convolution.
struct deformable_sizes {
  std::int64_t pictures, channels, height, width, kernel_height, kernel_width, out_height, out_width, out_channels, offset_groups;
  deformable_options how;

  deformable_sizes(at::Tensor const& x, at::Tensor const& offset, at::Tensor const& weight, deformable_options const& options)
      : pictures(x.size(0)),
        channels(x.size(1)),
        height(x.size(2)),
        width(x.size(3)),
        kernel_height(weight.size(2)),
        kernel_width(weight.size(3)),
        out_height((height + 2 * options.padding - options.dilation * (kernel_height - 1) - 1) / options.stride + 1),
        out_width((width + 2 * options.padding - options.dilation * (kernel_width - 1) - 1) / options.stride + 1),
        out_channels(weight.size(0)),
        offset_groups(offset.size(1) / (2 * kernel_height * kernel_width)),
        how(options) {}
  [[nodiscard]] std::int64_t kernel() const { return kernel_height * kernel_width; }
  [[nodiscard]] std::int64_t positions() const { return out_height * out_width; }
  [[nodiscard]] std::int64_t group_channels() const { return channels / how.groups; }
  [[nodiscard]] std::int64_t channels_of_offset_group() const { return channels / offset_groups; }
};

/// The four pixels around a point, with their weights and the derivatives of these; fewer at the border.
template <class Number>
struct around_point {
  struct pixel {
    std::int64_t at;
    Number weight, down, right;  // d weight / dy, d weight / dx
  };
  std::array<pixel, 4> pixels;
  int count = 0;

  around_point(Number y, Number x, std::int64_t height, std::int64_t width) {
    if (!(y > -1 && x > -1 && y < static_cast<Number>(height) && x < static_cast<Number>(width))) return;
    Number const top = std::floor(y), left = std::floor(x), ly = y - top, lx = x - left;
    auto const row = static_cast<std::int64_t>(top), column = static_cast<std::int64_t>(left);
    auto const add = [&](std::int64_t j, std::int64_t i, Number wy, Number wx, Number sign_y, Number sign_x) {
      if (j >= 0 && j < height && i >= 0 && i < width)
        pixels[static_cast<std::size_t>(count++)] = {j * width + i, wy * wx, sign_y * wx, wy * sign_x};
    };
    add(row, column, 1 - ly, 1 - lx, -1, -1);
    add(row, column + 1, 1 - ly, lx, -1, 1);
    add(row + 1, column, ly, 1 - lx, 1, -1);
    add(row + 1, column + 1, ly, lx, 1, 1);
  }
};

/// One picture of a deformable convolution: where its points are, and where their channels are in the columns [groups, rows, K Cg].
template <class Number>
struct deformable_picture {
  deformable_sizes const& s;
  Number const *x, *offset, *mask;  // [H W, C], [2 G K, positions], [G K, positions] or null

  [[nodiscard]] around_point<Number> point(std::int64_t position, std::int64_t g, std::int64_t k) const {
    std::int64_t const plane = s.positions(), channel = g * s.kernel() + k;
    auto const base = [&](std::int64_t at, std::int64_t element) { return at * s.how.stride - s.how.padding + element * s.how.dilation; };
    Number const y  = static_cast<Number>(base(position / s.out_width, k / s.kernel_width)) + offset[2 * channel * plane + position],
                 z  = static_cast<Number>(base(position % s.out_width, k % s.kernel_width)) + offset[(2 * channel + 1) * plane + position];
    return {y, z, s.height, s.width};
  }
  [[nodiscard]] Number factor(std::int64_t position, std::int64_t g, std::int64_t k) const {
    return mask == nullptr ? Number(1) : mask[(g * s.kernel() + k) * s.positions() + position];
  }
  /// Calls f(first channel, how many, their place in the columns) for the channels first ... last of element k in a row of the columns.
  template <class F>
  void runs(std::int64_t row, std::int64_t rows, std::int64_t k, std::int64_t first, std::int64_t last, F const& f) const {
    std::int64_t const size = s.group_channels();
    while (first < last) {
      std::int64_t const group = first / size, end = std::min(last, (group + 1) * size);
      f(first, end - first, ((group * rows + row) * s.kernel() + k) * size + first - group * size);
      first = end;
    }
  }

  void read_columns(std::int64_t first, std::int64_t rows, Number* columns) const {
    at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        for (std::int64_t k = 0; k < s.kernel(); ++k)
          for (std::int64_t g = 0; g < s.offset_groups; ++g) {
            auto const point    = this->point(first + row, g, k);
            Number const factor = this->factor(first + row, g, k);
            runs(row, rows, k, g * s.channels_of_offset_group(), (g + 1) * s.channels_of_offset_group(),
                 [&](std::int64_t channel, std::int64_t count, std::int64_t place) {
                   Number* const to = columns + place;
                   if (point.count == 4) {
                     auto const& p   = point.pixels;
                     Number const *a = x + p[0].at * s.channels + channel, *b = x + p[1].at * s.channels + channel,
                                  *c = x + p[2].at * s.channels + channel, *d = x + p[3].at * s.channels + channel;
                     Number const wa = factor * p[0].weight, wb = factor * p[1].weight, wc = factor * p[2].weight,
                                  wd = factor * p[3].weight;
                     for (std::int64_t i = 0; i < count; ++i) to[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
                     return;
                   }
                   std::fill_n(to, count, Number(0));
                   for (int t = 0; t < point.count; ++t) {
                     auto const& pixel        = point.pixels[static_cast<std::size_t>(t)];
                     Number const* const from = x + pixel.at * s.channels + channel;
                     for (std::int64_t i = 0; i < count; ++i) to[i] += factor * pixel.weight * from[i];
                   }
                 });
          }
    });
  }

  static Number dot(Number const* a, Number const* b, std::int64_t count) {
    std::array<Number, 16> sum{};
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
      for (std::size_t k = 0; k < 16; ++k) sum[k] += a[i + static_cast<std::int64_t>(k)] * b[i + static_cast<std::int64_t>(k)];
    Number whole = 0;
    for (Number const each : sum) whole += each;
    for (; i < count; ++i) whole += a[i] * b[i];
    return whole;
  }
  /// The gradients of offsets and masks from those of the columns.
  void to_offsets(std::int64_t first, std::int64_t rows, Number const* columns, Number* of_offset, Number* of_mask) const {
    at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        for (std::int64_t k = 0; k < s.kernel(); ++k)
          for (std::int64_t g = 0; g < s.offset_groups; ++g) {
            auto const point = this->point(first + row, g, k);
            std::array<Number, 4> dots{};
            runs(row, rows, k, g * s.channels_of_offset_group(), (g + 1) * s.channels_of_offset_group(),
                 [&](std::int64_t channel, std::int64_t count, std::int64_t place) {
                   for (int t = 0; t < point.count; ++t) {
                     auto const at = static_cast<std::size_t>(t);
                     dots[at] += dot(columns + place, x + point.pixels[at].at * s.channels + channel, count);
                   }
                 });
            Number down = 0, right = 0, value = 0;
            for (int t = 0; t < point.count; ++t) {
              auto const at = static_cast<std::size_t>(t);
              down += dots[at] * point.pixels[at].down, right += dots[at] * point.pixels[at].right;
              value += dots[at] * point.pixels[at].weight;
            }
            Number const factor        = this->factor(first + row, g, k);
            std::int64_t const channel = g * s.kernel() + k, plane = s.positions();
            of_offset[2 * channel * plane + first + row]       = down * factor;
            of_offset[(2 * channel + 1) * plane + first + row] = right * factor;
            if (of_mask != nullptr) of_mask[channel * plane + first + row] = value;
          }
    });
  }
  /// Adds the gradient of the map. A thread has some of the channels, so no two write to one number.
  void to_map(std::int64_t first, std::int64_t rows, Number const* columns, Number* of_x) const {
    at::parallel_for(0, s.channels, 32, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t k = 0; k < s.kernel(); ++k)
          for (std::int64_t g = begin / s.channels_of_offset_group(); g * s.channels_of_offset_group() < end; ++g) {
            auto const point    = this->point(first + row, g, k);
            Number const factor = this->factor(first + row, g, k);
            runs(row, rows, k, std::max(begin, g * s.channels_of_offset_group()), std::min(end, (g + 1) * s.channels_of_offset_group()),
                 [&](std::int64_t channel, std::int64_t count, std::int64_t place) {
                   for (int t = 0; t < point.count; ++t) {
                     auto const& pixel   = point.pixels[static_cast<std::size_t>(t)];
                     Number* const to    = of_x + pixel.at * s.channels + channel;
                     Number const weight = factor * pixel.weight;
                     for (std::int64_t i = 0; i < count; ++i) to[i] += weight * columns[place + i];
                   }
                 });
          }
    });
  }
};

inline constexpr std::int64_t deformable_rows = 256;  // of the columns at a time

template <class Number>
Number const* numbers_of(at::Tensor const& t, std::int64_t picture) {
  return t.defined() ? t.const_data_ptr<Number>() + picture * (t.numel() / std::max<std::int64_t>(t.size(0), 1)) : nullptr;
}
/// Calls f(picture, first position, positions) for all positions of all pictures, some at a time.
template <class F>
void for_rows(deformable_sizes const& s, F const& f) {
  for (std::int64_t n = 0; n < s.pictures; ++n)
    for (std::int64_t first = 0; first < s.positions(); first += deformable_rows)
      f(n, first, std::min(deformable_rows, s.positions() - first));
}
/// Weights [O, Cg, kh, kw] -> [groups, K Cg, O / groups].
inline at::Tensor column_weights(at::Tensor const& weight, deformable_sizes const& s) {
  return weight.permute({0, 2, 3, 1})
      .reshape({s.how.groups, s.out_channels / s.how.groups, s.kernel() * s.group_channels()})
      .transpose(1, 2)
      .contiguous();
}

template <class Number>
at::Tensor deformable_forward(at::Tensor const& x, at::Tensor const& offset, at::Tensor const& mask, at::Tensor const& weight,
                              deformable_sizes const& s) {
  at::Tensor made          = at::empty({s.pictures, s.positions(), s.out_channels}, x.options());
  at::Tensor const columns = at::empty({s.how.groups * deformable_rows * s.kernel() * s.group_channels()}, x.options());
  at::Tensor const weights = column_weights(weight, s);
  std::int64_t const each  = s.out_channels / s.how.groups;
  for_rows(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows) {
    deformable_picture<Number> const picture{s, numbers_of<Number>(x, n), numbers_of<Number>(offset, n), numbers_of<Number>(mask, n)};
    picture.read_columns(first, rows, columns.mutable_data_ptr<Number>());
    std::int64_t const size = s.kernel() * s.group_channels();
    at::Tensor const of     = columns.narrow(0, 0, s.how.groups * rows * size).view({s.how.groups, rows, size}),
                     to     = made[n].narrow(0, first, rows);
    if (s.how.groups == 1) {
      at::Tensor out = to;
      at::mm_out(out, of[0], weights[0]);
    } else {
      for (std::int64_t g = 0; g < s.how.groups; ++g) to.narrow(1, g * each, each).copy_(of[g].mm(weights[g]));
    }
  });
  return made.view({s.pictures, s.out_height, s.out_width, s.out_channels}).permute({0, 3, 1, 2});
}

struct deformable_gradients {
  at::Tensor x, offset, mask, weight;
};
template <class Number>
deformable_gradients deformable_backward(at::Tensor const& gradient, at::Tensor const& x, at::Tensor const& offset, at::Tensor const& mask,
                                         at::Tensor const& weight, deformable_sizes const& s) {
  std::int64_t const size = s.kernel() * s.group_channels(), each = s.out_channels / s.how.groups;
  deformable_gradients made{at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast).zero_(),
                            at::empty(offset.sizes(), offset.options()),
                            mask.defined() ? at::empty(mask.sizes(), mask.options()) : at::Tensor(),
                            {}};
  at::Tensor const of_weights = at::zeros({s.how.groups, each, size}, x.options());
  at::Tensor const columns = at::empty({s.how.groups * deformable_rows * size}, x.options()), of_columns = at::empty_like(columns);
  at::Tensor const weights   = column_weights(weight, s).transpose(1, 2);
  at::Tensor const of_output = gradient.permute({0, 2, 3, 1}).reshape({s.pictures, s.positions(), s.out_channels});
  for_rows(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows) {
    deformable_picture<Number> const picture{s, numbers_of<Number>(x, n), numbers_of<Number>(offset, n), numbers_of<Number>(mask, n)};
    picture.read_columns(first, rows, columns.mutable_data_ptr<Number>());
    for (std::int64_t g = 0; g < s.how.groups; ++g) {
      at::Tensor const from = of_output[n].narrow(0, first, rows).narrow(1, g * each, each);
      at::Tensor whole = of_weights[g], to = of_columns.narrow(0, g * rows * size, rows * size).view({rows, size});
      whole.addmm_(from.t(), columns.narrow(0, g * rows * size, rows * size).view({rows, size}));
      at::mm_out(to, from, weights[g]);
    }
    auto const* const read = of_columns.const_data_ptr<Number>();
    picture.to_offsets(first, rows, read, const_cast<Number*>(numbers_of<Number>(made.offset, n)),
                       const_cast<Number*>(numbers_of<Number>(made.mask, n)));
    picture.to_map(first, rows, read, const_cast<Number*>(numbers_of<Number>(made.x, n)));
  });
  made.weight = of_weights.view({s.out_channels, s.kernel_height, s.kernel_width, s.group_channels()}).permute({0, 3, 1, 2});
  return made;
}

struct deformable_conv_function : torch::autograd::Function<deformable_conv_function> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const& x, at::Tensor const& offset,
                            std::optional<at::Tensor> const& given, at::Tensor const& weight, std::int64_t stride, std::int64_t padding,
                            std::int64_t dilation, std::int64_t groups) {
    at::Tensor const mask  = given.value_or(at::Tensor());
    at::Tensor const inner = x.contiguous(at::MemoryFormat::ChannelsLast);
    context->save_for_backward({inner, offset, mask, weight});
    context->saved_data["how"] = std::vector<std::int64_t>{stride, padding, dilation, groups};
    deformable_sizes const s(x, offset, weight, {stride, padding, dilation, groups});
    return x.scalar_type() == at::kDouble ? deformable_forward<double>(inner, offset, mask, weight, s)
                                          : deformable_forward<float>(inner, offset, mask, weight, s);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& gradients) {
    auto const saved = context->get_saved_variables();
    auto const how   = context->saved_data["how"].toIntVector();
    deformable_sizes const s(saved[0], saved[1], saved[3], {how[0], how[1], how[2], how[3]});
    auto const made = saved[0].scalar_type() == at::kDouble
                          ? deformable_backward<double>(gradients[0], saved[0], saved[1], saved[2], saved[3], s)
                          : deformable_backward<float>(gradients[0], saved[0], saved[1], saved[2], saved[3], s);
    return {made.x, made.offset, made.mask, made.weight, {}, {}, {}, {}};
  }
};

/// The same by gathers of ATen.
inline at::Tensor deformable_conv_of_gathers(at::Tensor const& x, at::Tensor const& offset, at::Tensor const& mask,
                                             at::Tensor const& weight, deformable_options const& how) {
  deformable_sizes const s(x, offset, weight, how);
  auto const places = [&](std::int64_t count, std::int64_t kernel) {  // [kernel, count]
    return at::arange(kernel, offset.options())
        .mul(how.dilation)
        .unsqueeze(1)
        .add(at::arange(count, offset.options()).mul(how.stride))
        .sub(how.padding);
  };
  at::Tensor const by         = offset.view({s.pictures, s.offset_groups, s.kernel_height, s.kernel_width, 2, s.out_height, s.out_width});
  at::Tensor const not_finite = by.isfinite().all(4).logical_not();  // read nothing, as in the loop; any place outside does
  at::Tensor const y          = by.select(4, 0)
                           .add(places(s.out_height, s.kernel_height).view({1, 1, s.kernel_height, 1, s.out_height, 1}))
                           .masked_fill(not_finite, -2);
  at::Tensor const z =
      by.select(4, 1).add(places(s.out_width, s.kernel_width).view({1, 1, 1, s.kernel_width, 1, s.out_width})).masked_fill(not_finite, -2);
  at::Tensor const top = y.detach().floor(), left = z.detach().floor(), ly = y.sub(top), lx = z.sub(left);
  at::Tensor const first = at::arange(s.pictures * s.offset_groups, offset.options().dtype(at::kLong))
                               .view({s.pictures, s.offset_groups, 1, 1, 1, 1})
                               .mul(s.height * s.width);
  at::Tensor const rows = x.view({s.pictures, s.offset_groups, s.channels_of_offset_group(), s.height * s.width})
                              .transpose(2, 3)
                              .reshape({-1, s.channels_of_offset_group()});
  at::Tensor sum;
  for (int corner = 0; corner < 4; ++corner) {
    at::Tensor const row = top.add(corner / 2), column = left.add(corner % 2);
    at::Tensor const inside = row.ge(0)
                                  .logical_and(row.lt(s.height))
                                  .logical_and(column.ge(0))
                                  .logical_and(column.lt(s.width))
                                  .logical_and(y.gt(-1))
                                  .logical_and(z.gt(-1));
    at::Tensor const weight_of = (corner / 2 == 1 ? ly : ly.neg().add(1)).mul(corner % 2 == 1 ? lx : lx.neg().add(1)).mul(inside);
    at::Tensor const index     = row.clamp(0, static_cast<double>(s.height - 1))
                                 .mul(s.width)
                                 .add(column.clamp(0, static_cast<double>(s.width - 1)))
                                 .to(at::kLong)
                                 .add(first);
    at::Tensor const part = rows.index_select(0, index.reshape({-1})).mul(weight_of.reshape({-1, 1}));
    sum                   = sum.defined() ? sum.add(part) : part;
  }
  if (mask.defined()) sum = sum.mul(mask.reshape({-1, 1}));
  // [N, offset groups, K, positions, Cm] -> [N, groups, K Cg, positions]
  at::Tensor const columns = sum.view({s.pictures, s.offset_groups, s.kernel(), s.positions(), s.channels_of_offset_group()})
                                 .permute({0, 1, 4, 2, 3})
                                 .reshape({s.pictures, s.how.groups, s.group_channels() * s.kernel(), s.positions()});
  at::Tensor const weights = weight.view({1, s.how.groups, s.out_channels / s.how.groups, s.group_channels() * s.kernel()});
  return weights.matmul(columns).view({s.pictures, s.out_channels, s.out_height, s.out_width});
}

}  // namespace detail

/// [N, C, H, W], offset [N, 2 G K, H', W'], mask [N, G K, H', W'] or undefined, weight [O, C / groups, kh, kw], bias [O] or undefined
/// -> [N, O, H', W']; see the top of this file.
[[nodiscard]] inline at::Tensor deformable_conv(at::Tensor const& x, at::Tensor const& offset, at::Tensor const& mask,
                                                at::Tensor const& weight, at::Tensor const& bias, deformable_options const& how = {}) {
  auto const refuse = [&] {
    std::string const masks = mask.defined() ? "masks of " + c2f::detail::dims_of(mask) : std::string("no masks");
    throw input_error("a deformable convolution of " + c2f::detail::dims_of(weight) + " got a map of " + c2f::detail::dims_of(x) +
                      ", offsets of " + c2f::detail::dims_of(offset) + " and " + masks +
                      "; offsets have two channels and masks one for each element of the kernel, and the size of the answer");
  };
  if (x.dim() != 4 || offset.dim() != 4 || weight.dim() != 4 || how.groups < 1 || how.stride < 1 || how.dilation < 1) refuse();
  std::int64_t const kernel = weight.size(2) * weight.size(3), offset_groups = kernel > 0 ? offset.size(1) / (2 * kernel) : 0;
  if (offset_groups < 1 || offset.size(1) != 2 * kernel * offset_groups || x.size(1) % offset_groups != 0 ||
      x.size(1) != weight.size(1) * how.groups || weight.size(0) % how.groups != 0)
    refuse();
  detail::deformable_sizes const s(x, offset, weight, how);
  if (offset.size(0) != s.pictures || offset.size(2) != s.out_height || offset.size(3) != s.out_width) refuse();
  if (mask.defined() && (mask.dim() != 4 || mask.size(0) != s.pictures || mask.size(1) != kernel * offset_groups ||
                         mask.size(2) != s.out_height || mask.size(3) != s.out_width))
    refuse();
  at::ScalarType const number = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto const as               = [&](at::Tensor const& t) { return t.defined() ? t.to(number).contiguous() : t; };
  at::Tensor made             = x.is_cpu() ? detail::deformable_conv_function::apply(x.to(number), as(offset),
                                                                         mask.defined() ? std::optional(as(mask)) : std::nullopt,
                                                                                     as(weight), how.stride, how.padding, how.dilation, how.groups)
                                           : detail::deformable_conv_of_gathers(as(x), as(offset), as(mask), as(weight), how);
  if (bias.defined()) made = made.add(bias.to(number).view({1, -1, 1, 1}));
  return made.to(x.scalar_type());
}

}  // namespace c2f::detection
