// cuda/kernels/sample_source.cuh against ATen's softmax, scatter and where.
#include <ATen/ops/allclose.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"
#include "device.hpp"

namespace {

at::Tensor sampled_by_aten(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform, at::Tensor const& t) {
  at::Tensor const one_hot = at::zeros_like(raw.detach()).scatter_(1, truth.unsqueeze(1), 1.0);
  return at::where(uniform.gt(t).unsqueeze(1), one_hot, raw.softmax(1));
}

}  // namespace

TEST_CASE("kernel sample_source: one-hot or softmax, and its gradient, are ATen's") {
  C2F_NEEDS_DEVICE();
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (std::int64_t const classes : {2, 5, 32, 33, 100, 1000})
      for (double const t : {0.0, 0.3, 1.0}) {
        std::int64_t const samples = 37;
        at::Tensor const raw = tests::normal({samples, classes}, 1).mul(3).to(type), truth = tests::integers(classes, {samples}, 2),
                         uniform = tests::uniform({samples}, 3), weight = tests::normal({samples, classes}, 4).to(type),
                         threshold = at::zeros({}, uniform.options()).fill_(t);
        auto const with_gradient   = [&](auto const& sample) {
          at::Tensor const input = raw.detach().clone().set_requires_grad(true), conditioning = sample(input, truth, uniform, threshold);
          conditioning.mul(weight).sum().backward();
          return std::pair{conditioning.detach().to(at::kFloat), input.grad().to(at::kFloat)};
        };
        auto const [conditioning, gradient] = with_gradient(c2f::cuda::fused.sample_source);
        auto const [wanted, wanted_too]     = with_gradient(&sampled_by_aten);
        double const close                  = type == at::kFloat ? 1e-5 : 1e-2;
        REQUIRE(at::allclose(conditioning, wanted, close, close));
        REQUIRE(at::allclose(gradient, wanted_too, 10 * close, close));
      }
}
