// cuda/kernels/draw_boxes.cuh against the outer products of parts/encode_rasterize.hpp.
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <c2f/c2f.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

using c2f::encode::hard;
using c2f::encode::soft;

/// Boxes of all sizes, some of them partly outside of the image and one of size 0.
at::Tensor some_boxes(std::int64_t n, std::int64_t k) {
  at::Tensor const boxes = tests::uniform({n, k, 4}, 7).to(at::kFloat);
  boxes.select(2, 3).mul_(0.6);
  boxes[0][0].narrow(0, 2, 1).fill_(0);
  return boxes;
}

template <class Edges>
std::pair<at::Tensor, at::Tensor> drawn(c2f::fused_operations const* table, at::Tensor const& boxes, at::Tensor const& weight,
                                        at::MemoryFormat format) {
  c2f::with_fused const scope(table);
  at::Tensor const input = boxes.detach().clone().set_requires_grad(true);
  at::Tensor const maps  = c2f::encode::draw_boxes<Edges>(input, weight.size(2), weight.size(3), format);
  if (!maps.requires_grad()) return {maps, {}};
  maps.mul(weight).sum().backward();
  return {maps.detach(), input.grad()};
}

struct boxed {
  static constexpr char const* name = "boxed";
  using input                       = c2f::image<3, 16, 12>;
  using kind                        = c2f::boxes<1>;
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<4>>;
  using encoder = c2f::encode::rasterize<soft<2>>;
};

}  // namespace

TEST_CASE("kernel draw_boxes: maps and the gradient to the boxes are those of the outer products") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, k, height, width;
  };
  for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
    for (auto const& [n, k, height, width] :
         {sizes{3, 1, 32, 32}, sizes{2, 5, 17, 40}, sizes{4, 3, 1, 7}, sizes{1, 1, 1, 1}, sizes{1, 2, 65, 9}}) {
      at::Tensor const boxes = some_boxes(n, k), weight = tests::normal({n, k, height, width}, 3).contiguous(format);
      auto const same = [&]<class Edges>(Edges) {
        auto const [maps, gradient]          = drawn<Edges>(&c2f::cuda::fused, boxes, weight, format);
        auto const [wanted, gradient_wanted] = drawn<Edges>(nullptr, boxes, weight, format);
        REQUIRE(maps.is_contiguous(format));
        if constexpr (Edges::differentiable) {
          REQUIRE(at::allclose(maps, wanted, 1e-6, 1e-6));
          REQUIRE(at::allclose(gradient, gradient_wanted, 1e-4, 1e-4));
          REQUIRE(drawn<Edges>(&c2f::cuda::fused, boxes, weight, format).second.equal(gradient));
        } else {
          REQUIRE(maps.equal(wanted));
          REQUIRE(!gradient.defined());
        }
      };
      same(hard{});
      same(soft<2>{});
      same(soft<0.5>{});
    }
}

TEST_CASE("kernel draw_boxes: edges on the centres of pixels, doubles, boxes that are NaN") {
  C2F_NEEDS_DEVICE();
  // A side of 10 pixels: a box from 1.5 to 4.5 has its edges on the centres of pixels, which are outside then.
  at::Tensor const box = tests::uniform({1, 1, 4}, 1).to(at::kFloat);
  box[0][0].copy_(at::tensor({0.3f, 0.3f, 0.3f, 0.3f}));
  at::Tensor const weight = tests::normal({1, 1, 10, 10}, 1);
  REQUIRE(drawn<hard>(&c2f::cuda::fused, box, weight, at::MemoryFormat::Contiguous)
              .first.equal(drawn<hard>(nullptr, box, weight, at::MemoryFormat::Contiguous).first));
  REQUIRE(
      drawn<soft<2>>(&c2f::cuda::fused, box.to(at::kDouble), weight.to(at::kDouble), at::MemoryFormat::Contiguous).first.scalar_type() ==
      at::kDouble);
  box.fill_(NAN);
  REQUIRE(drawn<soft<2>>(&c2f::cuda::fused, box, weight, at::MemoryFormat::Contiguous).first.isnan().all().item<bool>());
}

TEST_CASE("a stack of boxes trains the same when one kernel draws its encoder's boxes") {
  C2F_NEEDS_DEVICE();
  c2f::fused_operations const table{.draw_boxes = c2f::cuda::fused.draw_boxes};
  auto const step = [](c2f::fused_operations const* set, at::MemoryFormat format) {
    c2f::with_fused const scope(set);
    c2f::stack<boxed> model(3);
    c2f::move_to(model, tests::device());
    at::Tensor const images = tests::normal({4, 3, 16, 12}, 1).contiguous(format), truth = tests::uniform({4, 1, 5}, 2).to(at::kFloat);
    truth.narrow(2, 4, 1).fill_(1);
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0.5, .seed = 5};
    model(images, p);
    p.loss().backward();
    std::vector<at::Tensor> all{p.loss().detach()};
    for (auto const& each : c2f::parameters(model)) all.push_back(each.grad());
    return all;
  };
  for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    auto const fused = step(&table, format), defined = step(nullptr, format);
    for (std::size_t i = 0; i < fused.size(); ++i) REQUIRE(at::allclose(fused[i], defined[i], 1e-4, 1e-5));
  }
}
