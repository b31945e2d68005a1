// Networks that end at a fraction of the image's size: the stack resizes their answers bilinearly.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/kinds/dense.hpp>

#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <cmath>

#include "catch.hpp"

namespace {

using kind  = c2f::dense<3>;
using input = c2f::image<3, 45, 60>;
template <class Kind>
using eighth = c2f::predicts<Kind, c2f::conv<6, 3, 2>, c2f::relu, c2f::conv<6, 3, 2>, c2f::relu, c2f::conv<6, 3, 2>, c2f::relu,
                             c2f::conv<Kind::classes, 1, 1, 0, c2f::bias>>;

struct static_size {
  static constexpr char const* name = "eighth";
  using input                       = ::input;
  using network                     = eighth<kind>;
  using schedule                    = c2f::schedule::always_prediction;
};
struct any_size : static_size {
  using input = c2f::image<3, c2f::dynamic, c2f::dynamic>;
};
static_assert(c2f::task<static_size> && c2f::task<any_size>);
static_assert(std::same_as<c2f::network_on<eighth<kind>, input>::output, c2f::image<3, 6, 8>>);
static_assert(std::same_as<c2f::stack<static_size>::output, c2f::image<3, 45, 60>>);

at::Tensor noise(std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  return c2f::detail::sample_numbers(dims, seed).to(at::kFloat);
}

/// align_corners=False, pixel by pixel: a pixel's centre y + .5 lies at (y + .5) h / H in the small map, whose border is repeated.
at::Tensor bilinear(at::Tensor const& small, std::int64_t height, std::int64_t width) {
  std::int64_t const h = small.size(2), w = small.size(3);
  at::Tensor large = small.new_empty({small.size(0), small.size(1), height, width});
  auto const split = [](std::int64_t at, std::int64_t from, std::int64_t to) {
    double const place = std::max(0.0, (static_cast<double>(at) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
    auto const low     = static_cast<std::int64_t>(place);
    return std::tuple(low, std::min(low + 1, from - 1), place - static_cast<double>(low));
  };
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto const [top, bottom, dy] = split(y, h, height);
      auto const [left, right, dx] = split(x, w, width);
      auto const row               = [&, l = left, r = right, d = dx](std::int64_t at) {
        return small.select(2, at).select(2, l).mul(1 - d).add(small.select(2, at).select(2, r), d);
      };
      large.select(2, y).select(2, x).copy_(row(top).mul(1 - dy).add(row(bottom), dy));
    }
  return large;
}

/// Half of what it reads.
struct half {
  using kind = c2f::dense<2>;
  template <c2f::shape In>
  struct on {
    using output = c2f::image<2, c2f::dynamic, c2f::dynamic>;
    c2f::network_on<c2f::conv<2, 3, 2>, In> conv;
    C2F_MEMBERS(conv);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return conv(x, m); }
  };
};
struct cropped {
  static constexpr char const* name = "cropped";
  using input                       = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  using network                     = half;
  using encoder                     = c2f::encode::none;
  using fuse                        = c2f::fuse::crop<1, 0>;
  using source                      = c2f::source::prediction;
  using schedule                    = c2f::schedule::always_prediction;
};
static_assert(c2f::task<cropped>);

}  // namespace

TEST_CASE("answers at an eighth of an odd size are resized to the image") {
  at::NoGradGuard const none;
  at::Tensor const images = noise({2, 3, 45, 60}, 1);
  c2f::stack<static_size> const model(1);
  auto const both      = model(images, c2f::eval);
  at::Tensor const raw = model.coarse(images, c2f::eval);
  REQUIRE(raw.sizes() == at::IntArrayRef({2, 3, 6, 8}));
  REQUIRE(both.coarse.sizes() == at::IntArrayRef({2, 3, 45, 60}));
  REQUIRE(both.coarse.equal(at::upsample_bilinear2d(raw, {45, 60}, /*align_corners=*/false)));
  REQUIRE(both.coarse.allclose(bilinear(raw, 45, 60), 1e-5, 1e-5));

  // The fine network is conditioned on the prediction of the resized map.
  c2f::pass p{};
  at::Tensor const z    = model.encoder(both.coarse.softmax(1), images, p);
  at::Tensor const fine = model.fine(model.fuse(images, z, p), c2f::eval);
  REQUIRE(fine.sizes() == at::IntArrayRef({2, 3, 6, 8}));
  REQUIRE(both.answer.allclose(bilinear(fine, 45, 60), 1e-5, 1e-5));

  c2f::stack<any_size> const any(1);
  REQUIRE(any(images, c2f::eval).answer.equal(both.answer));
  for (auto const& [height, width] : {std::pair<std::int64_t, std::int64_t>{32, 32}, {33, 7}, {8, 8}}) {
    at::Tensor const other = noise({1, 3, height, width}, 2);
    REQUIRE(any(other, c2f::eval).coarse.allclose(bilinear(any.coarse(other, c2f::eval), height, width), 1e-5, 1e-5));
  }
}

TEST_CASE("losses are computed on the resized answers, and all parameters learn") {
  at::Tensor const images = noise({2, 3, 45, 60}, 1), truth = kind::example<input>(2);
  c2f::stack<static_size> const model(1);
  c2f::pass p{.mode = c2f::train, .truth = truth};
  model(images, p);
  at::Tensor const wanted =
      bilinear(model.coarse(images, c2f::train), 45, 60).log_softmax(1).gather(1, truth.unsqueeze(1)).mean().neg();  // cross-entropy
  REQUIRE(p.losses.size() == 2);
  REQUIRE(std::abs(p.losses[0].value.item<double>() - wanted.item<double>()) < 1e-5);
  p.loss().backward();
  for (auto const& each : c2f::parameters(model)) REQUIRE(each.grad().defined());
}

TEST_CASE("after a crop the answer is resized to the crop, and then placed into the image") {
  at::NoGradGuard const none;
  c2f::stack<cropped> const model(1);
  at::Tensor const images = noise({2, 3, 20, 16}, 3);
  c2f::pass p{};
  p.conditioning = at::zeros({2, 2, 20, 16});
  p.conditioning.select(1, 0).fill_(1);
  for (std::int64_t const i : {0, 1}) {  // an object of 7 x 5 pixels each; with the margin of 1 pixel the crop is 9 x 7
    p.conditioning[i][0].narrow(0, 4 + 3 * i, 7).narrow(1, 3 + 5 * i, 5).fill_(0);
    p.conditioning[i][1].narrow(0, 4 + 3 * i, 7).narrow(1, 3 + 5 * i, 5).fill_(1);
  }
  at::Tensor const given = p.conditioning, found = model.run_fine(images, given, p);
  REQUIRE(found.sizes() == at::IntArrayRef({2, 2, 20, 16}));
  for (std::int64_t const i : {0, 1}) {
    at::Tensor const crop = images.narrow(0, i, 1).narrow(2, 3 + 3 * i, 9).narrow(3, 2 + 5 * i, 7);
    at::Tensor const raw  = model.fine(crop, c2f::eval);
    REQUIRE(raw.sizes() == at::IntArrayRef({1, 2, 5, 4}));
    REQUIRE(found.narrow(0, i, 1).narrow(2, 3 + 3 * i, 9).narrow(3, 2 + 5 * i, 7).allclose(bilinear(raw, 9, 7), 1e-5, 1e-5));
    at::Tensor const outside = found[i].argmax(0).clone();
    outside.narrow(0, 3 + 3 * i, 9).narrow(1, 2 + 5 * i, 7).fill_(0);
    REQUIRE(outside.sum().item<std::int64_t>() == 0);  // background
  }
}
