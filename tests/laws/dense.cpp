// The parts for dense maps satisfy the laws.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/parts/encode_saliency.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/unet.hpp>

#include "catch.hpp"

namespace {

template <class Part, class Kind, class Like = c2f::image<3, 8, 12>>
void dense_keeps_its_laws() {
  auto const report = c2f::conformance<Part, Like, Kind>();
  std::string broken;
  for (auto const& law : report.broken()) broken += law + '\n';
  REQUIRE(broken == "");
  REQUIRE(report.laws() > 0);
}

// The saliency with another convolution added: the initial saliency is constant on purpose.
struct perturbed_saliency {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on : c2f::encode::saliency::on<Kind, Like> {
    c2f::network_on<c2f::conv<Like::channels, 5>, Like> more;
    C2F_MEMBERS(conv1, conv2, more);
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass& p) const {
      at::Tensor const hidden = this->conv1(y.to(x.scalar_type()), p.mode).relu_();
      return this->conv2(hidden, p.mode).add(more(hidden, p.mode));
    }
  };
};

}  // namespace

TEST_CASE("encoders of dense maps satisfy their laws") {
  dense_keeps_its_laws<c2f::encode::dense<>, c2f::dense<4>>();
  dense_keeps_its_laws<c2f::encode::dense<5, 3, 1, 5>, c2f::dense<2>>();
  dense_keeps_its_laws<perturbed_saliency, c2f::dense<2>>();
  dense_keeps_its_laws<c2f::encode::after<0.5, c2f::encode::dense<>>, c2f::dense<3>>();
}

TEST_CASE("sources of dense maps satisfy their laws") {
  dense_keeps_its_laws<c2f::source::sample, c2f::dense<1>>();
  dense_keeps_its_laws<c2f::source::sample, c2f::dense<4>>();
  dense_keeps_its_laws<c2f::source::mean, c2f::dense<4>>();
  dense_keeps_its_laws<c2f::source::corrupt<>, c2f::dense<1>>();
  dense_keeps_its_laws<c2f::source::corrupt<1>, c2f::dense<4>>();
}

TEST_CASE("combines of dense maps satisfy their laws") {
  dense_keeps_its_laws<c2f::combine::fine, c2f::dense<1>>();
  dense_keeps_its_laws<c2f::combine::average, c2f::dense<3>>();
}

TEST_CASE("layers and networks for dense maps satisfy their laws") {
  dense_keeps_its_laws<c2f::up_conv<4, 2, 2>, c2f::dense<1>>();
  dense_keeps_its_laws<c2f::unet<2, 3, c2f::dense<1>>, c2f::dense<1>>();
  dense_keeps_its_laws<c2f::unet<1, 4, c2f::dense<4>>, c2f::dense<4>, c2f::image<6, 6, 4>>();
  dense_keeps_its_laws<c2f::fcn8s<c2f::dense<2>, 4, 2>, c2f::dense<2>>();
  dense_keeps_its_laws<c2f::fcn<c2f::sequential<c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<8, 3, 2>>, c2f::dense<3>>,
                       c2f::dense<3>>();
  dense_keeps_its_laws<c2f::fcn<c2f::resnet_features<18, 1>, c2f::dense<2>, 8>, c2f::dense<2>, c2f::image<3, 16, 16>>();
}
