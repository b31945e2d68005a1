// Every part of c2f satisfies the laws that c2f::conformance checks for a user's parts.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include "catch.hpp"

namespace {

using tiny = c2f::image<3, 9, 7>;
using kind = c2f::class_vector<6>;

template <class Part, class Like = tiny>
void keeps_its_laws() {
  auto const report = c2f::conformance<Part, Like, kind>();
  std::string broken;
  for (auto const& law : report.broken()) broken += law + '\n';
  REQUIRE(broken == "");
  REQUIRE(report.laws() > 0);
}

// Four parts, each of which violates one law.
struct wrong_shape {
  template <c2f::shape In>
  struct on {
    using output = c2f::with_channels<In, 5>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x; }
  };
};

struct over_the_batch {
  template <c2f::shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.sub(x.mean({0}, true)); }
  };
};

struct detached {
  template <c2f::shape In>
  struct on {
    using output = In;
    c2f::parameter<c2f::initial::ones, 1> scale;
    C2F_MEMBERS(scale);
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.mul(scale.as(x).detach()); }
  };
};

struct ignores_prediction {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = Like;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const&, at::Tensor const& x, c2f::pass&) const { return x; }
  };
};

}  // namespace

TEST_CASE("schedules satisfy their laws") {
  keeps_its_laws<c2f::schedule::always_truth>();
  keeps_its_laws<c2f::schedule::always_prediction>();
  keeps_its_laws<c2f::schedule::ramp<0.5, 98>>();
  keeps_its_laws<c2f::schedule::ramp<0, 80000, c2f::by::iteration, 40000>>();
  keeps_its_laws<c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>, c2f::step<30, 1>>>();
}

TEST_CASE("encoders satisfy their laws") {
  keeps_its_laws<c2f::encode::tile<>>();
  keeps_its_laws<c2f::encode::tile<c2f::encode::naive>>();
  keeps_its_laws<c2f::encode::tile<c2f::encode::compact, 5, 3, 5, 1>>();
  keeps_its_laws<c2f::encode::none>();
}

TEST_CASE("sources satisfy their laws") {
  keeps_its_laws<c2f::source::sample>();
  keeps_its_laws<c2f::source::mean>();
  keeps_its_laws<c2f::source::corrupt<0.3>>();
}

TEST_CASE("fuses and combines satisfy their laws") {
  keeps_its_laws<c2f::fuse::concatenate>();
  keeps_its_laws<c2f::fuse::multiply>();
  keeps_its_laws<c2f::combine::fine>();
  keeps_its_laws<c2f::combine::average>();
  keeps_its_laws<c2f::combine::gate<>>();
}

TEST_CASE("layers and blocks satisfy their laws") {
  keeps_its_laws<c2f::conv<4, 3>>();
  keeps_its_laws<c2f::conv<4, 3, 2, 1, c2f::bias, 2>>();
  keeps_its_laws<c2f::batch_norm>();
  keeps_its_laws<c2f::relu>();
  keeps_its_laws<c2f::identity>();
  keeps_its_laws<c2f::max_pool<3, 2, 1>>();
  keeps_its_laws<c2f::global_average_pool>();
  keeps_its_laws<c2f::flatten>();
  keeps_its_laws<c2f::linear<5>, c2f::vector<7>>();
  keeps_its_laws<c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm, c2f::relu>>();
  keeps_its_laws<c2f::residual<c2f::sequential<c2f::conv<3, 3>, c2f::batch_norm>>>();
  keeps_its_laws<c2f::basic_block<4, 2>>();
  keeps_its_laws<c2f::bottleneck<2>>();
  keeps_its_laws<c2f::repeat<3, c2f::basic_block<4, 2>, c2f::basic_block<4>>>();
}

TEST_CASE("networks satisfy their laws") {
  keeps_its_laws<c2f::resnet_cifar<8, kind>, c2f::image<3, 16, 16>>();
  keeps_its_laws<c2f::resnet_cifar<8, kind, c2f::bottleneck>, c2f::image<6, 16, 16>>();
  keeps_its_laws<c2f::resnet<18, kind>, c2f::image<3, 32, 32>>();
}

TEST_CASE("conformance detects violations") {
  REQUIRE_FALSE(c2f::conformance<wrong_shape>());
  REQUIRE_FALSE(c2f::conformance<over_the_batch>());
  REQUIRE_FALSE(c2f::conformance<detached>());
  REQUIRE_FALSE(c2f::conformance<ignores_prediction>());
}
