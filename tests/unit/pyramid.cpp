// A stack whose answer is a pyramid of two maps: the recursive feature pyramid (Qiao et al., CVPR 2021) in small, alone and under a head.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <cmath>

#include "catch.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using input = c2f::image<3, 8, 8>;
using level = c2f::image<4, c2f::dynamic, c2f::dynamic>;
using two   = std::array<at::Tensor, 2>;
template <std::int64_t Channels>
using from_zero = c2f::conv<Channels, 1, 1, 0, c2f::bias, 1, c2f::initial::zeros>;

struct pyramid {
  static constexpr bool supervised = false;
  using default_encoder            = c2f::encode::none;
  template <c2f::shape In>
  using output = c2f::maps<level, level>;
};

/// Two stages; on an image with two maps it adds those, through convolutions that are initially zero.
struct backbone {
  using kind = pyramid;
  template <c2f::shape In>
  struct on;
  template <c2f::image_shape In>
  struct on<In> {
    using first  = c2f::network_on<c2f::sequential<c2f::conv<4, 3, 2>, c2f::batch_norm>, In>;
    using second = c2f::network_on<c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm>, typename first::output>;
    using output = c2f::maps<typename first::output, typename second::output>;
    first layer1;
    second layer2;
    C2F_MEMBERS(layer1, layer2);
    two operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const a = layer1(x, m).relu();
      return {a, layer2(a, m).relu()};
    }
  };
  template <c2f::image_shape X, c2f::image_shape A, c2f::image_shape B>
  struct on<c2f::maps<X, A, B>> : on<X> {
    using on<X>::layer1, on<X>::layer2;
    c2f::network_on<from_zero<4>, A> feedback1;
    c2f::network_on<from_zero<6>, B> feedback2;
    C2F_MEMBERS(layer1, layer2, feedback1, feedback2);
    two operator()(std::array<at::Tensor, 3> const& x, c2f::mode m) const {
      at::Tensor const a = layer1(x[0], m).add(feedback1(x[1], m)).relu();
      return {a, layer2(a, m).add(feedback2(x[2], m)).relu()};
    }
  };
};
struct fpn {
  template <class In>
  struct on;
  template <c2f::image_shape A, c2f::image_shape B>
  struct on<c2f::maps<A, B>> {
    using output = c2f::maps<c2f::with_channels<A, 4>, c2f::with_channels<B, 4>>;
    c2f::network_on<c2f::conv<4, 1, 1, 0, c2f::bias>, A> lateral1;
    c2f::network_on<c2f::conv<4, 1, 1, 0, c2f::bias>, B> lateral2;
    C2F_MEMBERS(lateral1, lateral2);
    two operator()(two const& c, c2f::mode m) const {
      at::Tensor const a = lateral1(c[0], m), b = lateral2(c[1], m);
      return {a.add(at::upsample_nearest2d(b, {a.size(2), a.size(3)})), b};
    }
  };
};
struct per_level {
  template <class Kind, c2f::shape X>
  struct on {
    using output = c2f::maps<level, level>;
    c2f::network_on<c2f::conv<4, 1, 1, 0, c2f::bias>, level> shared;
    C2F_MEMBERS(shared);
    two operator()(two const& y, at::Tensor const&, c2f::pass& p) const { return {shared(y[0], p.mode), shared(y[1], p.mode)}; }
  };
};
struct feedback {
  template <class X, class Z>
  struct on;
  template <c2f::image_shape X, c2f::shape A, c2f::shape B>
  struct on<X, c2f::maps<A, B>> {
    using output = c2f::maps<X, A, B>;
    C2F_MEMBERS();
    std::array<at::Tensor, 3> operator()(at::Tensor const& x, two const& z, c2f::pass&) const { return {x, z[0], z[1]}; }
  };
};
struct gated {
  template <class Kind, c2f::shape F>
  struct on {
    c2f::network_on<c2f::conv<1, 1, 1, 0, c2f::bias>, level> attention;
    C2F_MEMBERS(attention);
    c2f::basic_combined<two> operator()(at::Tensor const&, two const& old, two const& now, c2f::pass& p) const {
      two joined;
      for (std::size_t i = 0; i < 2; ++i) joined[i] = old[i].lerp(now[i], attention(now[i], p.mode).sigmoid());
      return {joined, joined};
    }
  };
};
struct recursive {
  static constexpr char const* name = "recursive pyramid";
  using input                       = ::input;
  using network                     = backbone;
  using share                       = c2f::share::ending<fpn>;
  using encoder                     = per_level;
  using fuse                        = feedback;
  using combine                     = gated;
};
struct thrice : recursive {
  using refine = c2f::refine::times<2>;
};
static_assert(c2f::task<recursive> && c2f::task<thrice> && !c2f::model<c2f::stack<recursive>>);

struct head {
  using kind = c2f::class_vector<3>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<3>;
    c2f::network_on<c2f::linear<3>, c2f::vector<8>> fc;
    C2F_MEMBERS(fc);
    at::Tensor operator()(two const& f, c2f::mode m) const {
      return fc(at::cat({f[0].mean(at::IntArrayRef({2, 3})), f[1].mean(at::IntArrayRef({2, 3}))}, 1), m);
    }
  };
};
struct classifier {
  static constexpr char const* name = "head on a pyramid";
  using input                       = ::input;
  using network                     = head;
  using share                       = c2f::share::features<c2f::stack<recursive>>;
  using refine                      = c2f::refine::no_fine_network;
};
static_assert(c2f::task<classifier> && c2f::model<c2f::stack<classifier>>);

at::Tensor const images = c2f::detail::sample_numbers({4, 3, 8, 8}, 1).to(at::kFloat);

/// Gives the fine network the coarse one's tensors; those of the feedback stay.
template <class Stack>
void load(Stack& model) {
  auto const from = tiny::tensors_of(model.coarse);
  std::size_t i   = 0;
  c2f::for_each_tensor(model.fine, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) {
    if (!path.starts_with("feedback")) each.assign(from[i++].clone().set_requires_grad(traits.trained));
  });
  REQUIRE(i == from.size());
}
/// Adds noise to every parameter, so that none is zero.
template <class Net>
void disturb(Net const& net) {
  at::NoGradGuard const none;
  std::uint64_t seed = 50;
  for (auto const& each : c2f::parameters(net))
    each.add_(c2f::detail::sample_numbers(each.sizes().vec(), ++seed).to(each.scalar_type()), 0.3);
}
two by_definition(c2f::stack<recursive> const& m, at::Tensor const& x, c2f::mode mode, int rounds = 1) {
  c2f::pass p{.mode = mode};
  two answer = m.end(m.coarse(x, mode), mode);
  for (int i = 0; i < rounds; ++i) {
    auto const z  = m.encoder(answer, x, p);
    two const now = m.end(m.fine({x, z[0], z[1]}, mode), mode);
    for (std::size_t k = 0; k < 2; ++k) {
      at::Tensor const weight = m.combine.attention(now[k], mode).sigmoid();
      answer[k]               = now[k].mul(weight).add(answer[k].mul(weight.neg().add(1)));
    }
  }
  return answer;
}
bool close(two const& a, two const& b) { return a[0].allclose(b[0], 1e-5, 1e-6) && a[1].allclose(b[1], 1e-5, 1e-6); }

}  // namespace

TEST_CASE("where the feedback is zero and the weights are equal, the recursive pyramid is the plain one") {
  c2f::stack<recursive> model(1);
  load(model);
  auto const both  = model(images, c2f::eval);
  two const plain  = model.end(model.coarse(images, c2f::eval), c2f::eval);
  two const answer = both;
  REQUIRE(plain[0].sizes() == at::IntArrayRef({4, 4, 4, 4}));
  REQUIRE(plain[1].sizes() == at::IntArrayRef({4, 4, 2, 2}));
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(both.coarse[i].equal(plain[i]));
    REQUIRE(answer[i].equal(plain[i]));
  }
  REQUIRE(both.side.empty());  // nothing that could be scored
}

TEST_CASE("the recursive pyramid by its definition") {
  c2f::stack<recursive> model(1);
  disturb(model);
  two const plain = model.end(model.coarse(images, c2f::eval), c2f::eval), answer = model(images, c2f::eval);
  REQUIRE(close(answer, by_definition(model, images, c2f::eval)));
  REQUIRE(!close(answer, plain));
  c2f::pass p{.mode = c2f::train};
  REQUIRE(close(model(images, p), by_definition(model, images, c2f::train)));
  REQUIRE(p.losses.empty());

  c2f::stack<thrice> more(1);
  disturb(more);
  two const third = more(images, c2f::eval);
  c2f::stack<recursive> same(1);
  disturb(same);
  REQUIRE(close(third, by_definition(same, images, c2f::eval, 2)));
  REQUIRE(!close(third, by_definition(same, images, c2f::eval)));
  REQUIRE(close(more(images, p), by_definition(same, images, c2f::train, 2)));  // all rounds, in training, too
}

TEST_CASE("every parameter of a pyramid gets its derivative, also through the ending that both networks share") {
  c2f::stack<recursive> model(1);
  disturb(model);
  c2f::detail::to_double(model);
  at::Tensor const x = images.to(at::kDouble);
  auto const value   = [&] {
    two const found = model(x, c2f::eval);
    return found[0].square().sum().add(found[1].sum());
  };
  value().backward();
  int parameters = 0;
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) {
    if (!traits.trained) return;
    CAPTURE(path);
    ++parameters;
    at::NoGradGuard const none;
    at::Tensor const step = c2f::detail::sample_numbers(each.tensor().sizes().vec(), 7).mul(1e-7), gradient = each.tensor().grad();
    REQUIRE(gradient.defined());
    each.tensor().add_(step);
    double const up = value().item<double>();
    each.tensor().sub_(step, 2);
    double const down = value().item<double>();
    each.tensor().add_(step);
    REQUIRE(std::abs(gradient.mul(step).sum().item<double>() - (up - down) / 2) <=
            1e-4 * gradient.abs().mul(step.abs()).sum().item<double>());
  });
  REQUIRE(parameters == 2 * 6 + 4 + 4 + 2 + 2);  // two backbones, feedback, lateral convolutions, encoder, gate
}

TEST_CASE("a pyramid under a head trains, all of it, and is resumed bit for bit") {
  c2f::stack<classifier> once(3);
  disturb(once);
  c2f::pass p{.mode = c2f::train, .truth = c2f::detail::sample_numbers({4, 3}, 2).argmax(1)};
  once(images, p);
  REQUIRE(p.losses.size() == 1);
  REQUIRE(p.losses[0].name == "coarse");
  p.loss().backward();
  for (auto const& each : c2f::parameters(once)) REQUIRE(each.grad().defined());

  tiny::dataset<head::kind, 8> const data{{35, 1}, {8, 2}};
  auto const recipe = tiny::recipe().threads(0);
  c2f::stack<classifier> whole(7);
  auto const before = tiny::tensors_of(whole);
  tiny::spy end;
  auto const report = c2f::fit(whole, data, recipe, end);
  REQUIRE(report.epochs.back().scores.size() == 1);
  REQUIRE(report.epochs.back().losses.size() == 1);
  auto const after = tiny::tensors_of(whole);
  for (std::size_t i = 0; i < before.size(); ++i) REQUIRE(!before[i].equal(after[i]));
  for (std::int64_t const at : {4, 10}) {
    tests::scratch const s;
    c2f::stack<classifier> first(7), second(8);
    REQUIRE(c2f::fit(first, data, recipe, c2f::checkpoints(s.path), tiny::stops{.at = at}).stopped);
    tiny::spy resumed;
    REQUIRE(c2f::fit(second, data, recipe, c2f::checkpoints(s.path), resumed).start.done == at);
    REQUIRE(tiny::same_bytes(end, resumed));
    REQUIRE(tiny::same_bytes(after, tiny::tensors_of(second)));
  }
}
