// Parts on several maps, and parts that read side outputs, the image alone or the conditioning.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/layers/dropout.hpp>

#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"

namespace {

using fine_map   = c2f::image<4, 8, 6>;
using coarse_map = c2f::image<4, 4, 3>;
using levels     = c2f::maps<fine_map, coarse_map>;
using two        = std::array<at::Tensor, 2>;
using small      = c2f::image<3, 16, 12>;

template <class Part, class Like = c2f::image<3, 16, 16>, class Kind = c2f::class_vector<10>>
void keeps_its_laws() {
  auto const report = c2f::conformance<Part, Like, Kind>();
  std::string broken;
  for (auto const& law : report.broken()) broken += law + '\n';
  REQUIRE(broken == "");
  REQUIRE(report.laws() > 2);
}
template <class Part, class Like = c2f::image<3, 16, 16>, class Kind = c2f::class_vector<10>>
void breaks(std::string const& law) {
  auto const report = c2f::conformance<Part, Like, Kind>();
  std::string broken;
  for (auto const& each : report.broken()) broken += each + '\n';
  CAPTURE(law, broken);
  REQUIRE(broken.find(law) != std::string::npos);
}

struct top_down {
  template <class In>
  struct on;
  template <c2f::image_shape A, c2f::image_shape B>
  struct on<c2f::maps<A, B>> {
    using output = c2f::maps<A, B>;
    c2f::network_on<c2f::conv<A::channels, 1, 1, 0, c2f::bias>, A> lateral1;
    c2f::network_on<c2f::conv<A::channels, 1, 1, 0, c2f::bias>, B> lateral2;
    C2F_MEMBERS(lateral1, lateral2);
    two operator()(two const& c, c2f::mode m) const {
      at::Tensor const a = lateral1(c[0], m), b = lateral2(c[1], m);
      return {a.add(at::upsample_nearest2d(b, {a.size(2), a.size(3)})), b};
    }
  };
};
struct swapped : top_down {
  template <class In>
  struct on : top_down::on<In> {
    two operator()(two const& c, c2f::mode m) const {
      two const y = top_down::on<In>::operator()(c, m);
      return {y[1], y[0]};
    }
  };
};
struct mean_of_batch : top_down {
  template <class In>
  struct on : top_down::on<In> {
    two operator()(two const& c, c2f::mode m) const {
      two const y = top_down::on<In>::operator()(c, m);
      return {y[0], y[1].sub(y[1].mean(0, true))};
    }
  };
};
struct forgets_a_level : top_down {
  template <class In>
  struct on : top_down::on<In> {
    two operator()(two const& c, c2f::mode m) const {
      two const y = top_down::on<In>::operator()(c, m);
      return {y[0].detach(), y[1]};
    }
  };
};
/// A network that gives something else with a pass than with a mode.
template <int Offset>
struct with_pass {
  template <c2f::shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x; }
    at::Tensor operator()(at::Tensor const& x, c2f::pass& p) const {
      p.add_output("seen", x);
      return x.add(Offset);
    }
  };
};

struct pyramid {
  static constexpr bool supervised = false;
  using default_encoder            = c2f::encode::none;
  template <class In>
  using output = levels;
};
struct each_level {
  template <class Kind, class X>
  struct on {
    using output = levels;
    c2f::network_on<c2f::conv<4, 1, 1, 0, c2f::bias>, fine_map> shared;
    C2F_MEMBERS(shared);
    two operator()(two const& y, at::Tensor const&, c2f::pass& p) const { return {shared(y[0], p.mode), shared(y[1], p.mode)}; }
  };
};
struct feedback {
  template <class X, class Z>
  struct on;
  template <c2f::image_shape X, class A, class B>
  struct on<X, c2f::maps<A, B>> {
    using output = c2f::maps<X, A, B>;
    C2F_MEMBERS();
    std::array<at::Tensor, 3> operator()(at::Tensor const& x, two const& z, c2f::pass&) const { return {x, z[0], z[1]}; }
  };
};
struct mean_of_levels {
  template <class Kind, class F>
  struct on {
    c2f::network_on<c2f::conv<1, 1, 1, 0, c2f::bias>, fine_map> gate;
    C2F_MEMBERS(gate);
    c2f::basic_combined<two> operator()(c2f::value_of<F> const&, two const& a, two const& b, c2f::pass& p) const {
      two y;
      for (std::size_t i = 0; i < 2; ++i) y[i] = a[i].lerp(b[i], gate(b[i], p.mode).sigmoid());
      return {y, y};
    }
  };
};

/// z of a side output, through a convolution.
template <bool Declared, bool Example>
struct attends {
  template <c2f::shape Like>
    requires Example
  static std::vector<c2f::side_output> example_outputs(std::int64_t n) {
    return {{"coarse.attention", c2f::detail::sample_numbers({n, 1, Like::height, Like::width}, 4).to(at::kFloat)}};
  }
  static constexpr bool reads_prediction = !Declared;
  template <class Kind, c2f::image_shape Like>
  struct on {
    using output = c2f::with_channels<Like, 1>;
    c2f::network_on<c2f::conv<1, 3>, output> conv;
    C2F_MEMBERS(conv);
    at::Tensor operator()(at::Tensor const&, at::Tensor const&, c2f::pass& p) const {
      at::Tensor const seen = p.output("coarse.attention");
      if (!seen.defined()) throw c2f::error("there is no attention");
      return conv(seen, p.mode);
    }
  };
};
struct of_the_image {
  static constexpr bool reads_prediction = false;
  template <class Kind, c2f::image_shape Like>
  struct on {
    using output = Like;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const&, at::Tensor const& x, c2f::pass&) const { return x; }
  };
};

/// Two crops a sample at the places of a prediction.
template <bool Wrong>
struct two_crops {
  template <class X, class Z>
  struct on;
  template <c2f::image_shape X>
  struct on<X, c2f::no_map> {
    using output = c2f::image<X::channels, 1, 1>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, at::Tensor const&, c2f::pass& p) const {
      at::Tensor const means = x.mean(at::IntArrayRef({2, 3})), first = p.conditioning.narrow(1, 0, 1);
      at::Tensor const other = Wrong ? first.mean(0, true).expand_as(first) : first;
      return at::cat({means.mul(first).unsqueeze(1), means.mul(other).unsqueeze(1)}, 1).view({-1, X::channels, 1, 1});
    }
  };
};
struct undo_forgets : c2f::fuse::crop<1, 0> {
  template <c2f::image_shape X, class Z>
  struct on : c2f::fuse::crop<1, 0>::on<X, Z> {
    at::Tensor undo(at::Tensor const& raw, c2f::fuse::crop<1, 0>::parts const&) const { return raw.narrow(2, 0, 1); }
  };
};

}  // namespace

TEST_CASE("architectures on several maps satisfy their laws, or are found out") {
  keeps_its_laws<top_down, levels>();
  breaks<swapped, levels>("the output has the declared shape, but it is [3, 4, 4, 3] and [3, 4, 8, 6]");
  breaks<mean_of_batch, levels>("does not depend on the other samples");
  breaks<forgets_a_level, levels>("'lateral1.weight' got none");
  keeps_its_laws<with_pass<0>>();
  breaks<with_pass<1>>("the same with a pass as with a mode");
  keeps_its_laws<c2f::sequential<c2f::conv<3, 3>, c2f::dropout<0.5>>>();
}

TEST_CASE("encoders, fuses and combines of several maps satisfy their laws") {
  keeps_its_laws<each_level, small, pyramid>();
  keeps_its_laws<feedback, small, pyramid>();
  keeps_its_laws<mean_of_levels, small, pyramid>();
}

TEST_CASE("an encoder may read side outputs or the image alone, if it says so") {
  keeps_its_laws<attends<true, true>>();
  keeps_its_laws<of_the_image>();
  breaks<attends<false, true>>("z depends on the prediction");
  breaks<attends<true, false>>("if it reads side outputs, give it example_outputs");
  breaks<attends<true, false>>("there is no attention");
}

TEST_CASE("fuses that read the conditioning satisfy their laws") {
  keeps_its_laws<c2f::fuse::crop<>>();
  keeps_its_laws<c2f::fuse::crop<1, 0>, small, c2f::dense<3>>();
  keeps_its_laws<c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<2, 0, 2>>, small, c2f::dense<1>>();
  keeps_its_laws<two_crops<false>>();
  breaks<two_crops<true>>("does not depend on the other samples");
  breaks<undo_forgets>("undo gives a map of the image's size");
}
