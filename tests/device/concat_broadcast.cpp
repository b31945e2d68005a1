// cuda/kernels/concat_broadcast.cuh against a broadcast and a concatenation by ATen, and in a stack.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <c2f/c2f.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

using dims = std::vector<std::int64_t>;

struct results {
  at::Tensor joined, to_x, to_tiny;
};
template <class Join>
results joined_by(Join const& join, at::Tensor const& x, at::Tensor const& tiny, at::Tensor const& weight) {
  at::Tensor const a = x.detach().clone().set_requires_grad(true), b = tiny.detach().clone().set_requires_grad(true);
  at::Tensor const joined = join(a, b);
  joined.mul(weight).sum().backward();
  return {joined.detach(), a.grad(), b.grad()};
}
/// Up to rounding.
bool same_numbers(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i)
    same = tests::furthest(a[i], b[i]) <= 2e-5 * std::max(1.0, b[i].abs().max().item<double>());
  return same;
}

int calls = 0;
at::Tensor counted(at::Tensor const& x, at::Tensor const& tiny) {
  ++calls;
  return c2f::cuda::fused.concat_broadcast(x, tiny);
}

struct conditioned {
  static constexpr char const* name = "conditioned";
  using input                       = c2f::image<3, 12, 11>;
  using network =
      c2f::predicts<c2f::class_vector<7>, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<7>>;
};
struct in_doubles : conditioned {
  using network = c2f::predicts<c2f::class_vector<7>, c2f::conv<8, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<7>>;
};
struct long_kernels : conditioned {
  using encoder = c2f::encode::tile<c2f::encode::compact, 4, 3, 5>;
};
struct as_defined : conditioned {
  using encoder = c2f::encode::tile<c2f::encode::naive>;
};
struct ones_first : conditioned {
  using encoder = c2f::encode::after<1.0, c2f::encode::tile<>>;
};

/// Losses and gradients of a training pass, with a table or without.
template <class Task>
std::vector<at::Tensor> step(c2f::fused_operations const* table, at::MemoryFormat format, at::ScalarType type, double t) {
  c2f::with_fused const scope(table);
  c2f::stack<Task> model(3);
  c2f::move_to(model, tests::device());
  at::Tensor const images = tests::normal({6, 3, 12, 11}, 1).to(type).contiguous(format), labels = tests::integers(7, {6}, 2);
  c2f::pass p{.mode = c2f::train, .truth = labels, .t = t, .seed = 5};
  model(images, p);
  p.loss().backward();
  std::vector<at::Tensor> all;
  for (auto const& each : p.losses) all.push_back(each.value.detach());
  for (auto const& each : c2f::parameters(model))
    if (each.grad().defined()) all.push_back(each.grad());
  return all;
}

}  // namespace

TEST_CASE("kernel concat_broadcast: x concatenated with the broadcast map, and both gradients, are cat's") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, x, z, height, width, radius;
  };
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      for (auto const& [n, cx, cz, height, width, radius] :
           {sizes{3, 3, 3, 32, 32, 2}, sizes{2, 4, 1, 13, 70, 2}, sizes{1, 1, 5, 7, 8, 3}, sizes{2, 3, 3, 6, 41, 3},
            sizes{2, 2, 3, 9, 4, 2}, sizes{1, 1, 1, 3, 2, 2}, sizes{1, 1, 1, 1, 1, 3}, sizes{2, 3, 2, 5, 5, 2}, sizes{1, 16, 16, 40, 33, 1},
            sizes{1, 2, 2, 9, 9, 0}}) {
        std::int64_t const side = 2 * radius + 1;
        auto const made         = [&](dims const& of, std::uint64_t seed) { return tests::normal(of, seed).to(type).contiguous(format); };
        at::Tensor const x = made({n, cx, height, width}, 1), tiny = made({n, cz, std::min(height, side), std::min(width, side)}, 2),
                         weight            = made({n, cx + cz, height, width}, 3);
        auto const [joined, to_x, to_tiny] = joined_by(c2f::cuda::fused.concat_broadcast, x, tiny, weight);
        auto const by_cat                  = [&](at::Tensor const& a, at::Tensor const& b) {
          return at::cat({a, c2f::broadcast_interior(b, a.size(2), a.size(3), a.suggest_memory_format())}, 1);
        };
        auto const wanted = joined_by(by_cat, x, tiny, weight);
        REQUIRE(joined.scalar_type() == type);
        if (cx > 1) REQUIRE(joined.is_contiguous(format));  // one channel has both formats
        REQUIRE(joined.equal(wanted.joined));
        REQUIRE(to_x.equal(wanted.to_x));
        // The definition's sums in double.
        auto const exact   = joined_by(by_cat, x.to(at::kDouble), tiny.to(at::kDouble), weight.to(at::kDouble));
        double const scale = exact.to_tiny.abs().max().item<double>();
        REQUIRE(tests::furthest(to_tiny, exact.to_tiny) <= (type == at::kFloat ? 2e-6 : 5e-3) * std::max(1.0, scale));
        REQUIRE(joined_by(c2f::cuda::fused.concat_broadcast, x, tiny, weight).to_tiny.equal(to_tiny));
      }
}

TEST_CASE("kernel concat_broadcast: the result has x's number type, and x need not have a gradient") {
  C2F_NEEDS_DEVICE();
  at::Tensor const x = tests::normal({2, 3, 9, 10}, 1), tiny = tests::normal({2, 3, 5, 5}, 2);
  for (auto const type : {at::kFloat, at::kBFloat16}) {
    auto const other        = type == at::kFloat ? at::kBFloat16 : at::kFloat;
    at::Tensor const input  = tiny.to(other).set_requires_grad(true);
    at::Tensor const result = c2f::cuda::fused.concat_broadcast(x.to(type), input);
    REQUIRE(result.scalar_type() == type);
    REQUIRE(result.equal(
        at::cat({x.to(type), c2f::broadcast_interior(input.detach().to(type), x.size(2), x.size(3), x.suggest_memory_format())}, 1)));
    result.sum().backward();
    REQUIRE(input.grad().scalar_type() == other);
    REQUIRE(input.grad()[0][0][2][2].item<float>() == 5 * 6);  // the middle is copied to 9 - 4 rows and 10 - 4 columns
    REQUIRE(input.grad()[1][2][2][4].item<float>() == 5);
  }
  // Views, and sums whose gradient is an expanded tensor.
  at::Tensor const wide = tests::normal({2, 6, 9, 20}, 1), part = wide.narrow(1, 1, 3).narrow(3, 4, 10);
  REQUIRE(c2f::cuda::fused.concat_broadcast(part, tiny)
              .equal(at::cat({part, c2f::broadcast_interior(tiny, part.size(2), part.size(3), part.suggest_memory_format())}, 1)));
}

TEST_CASE("a stack trains the same when the fuse broadcasts its encoder's map") {
  C2F_NEEDS_DEVICE();
  c2f::fused_operations const table{.concat_broadcast = &counted};
  auto const same = [&]<class Task>(Task, int wanted_calls) {
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      calls              = 0;
      auto const fused   = step<Task>(&table, format, at::kFloat, 0.5);
      auto const defined = step<Task>(nullptr, format, at::kFloat, 0.5);
      REQUIRE(calls == wanted_calls);
      REQUIRE(fused.size() > 10);
      REQUIRE(same_numbers(fused, defined));
    }
  };
  same(conditioned{}, 1);
  same(long_kernels{}, 1);
  same(as_defined{}, 0);  // nothing to broadcast
  same(ones_first{}, 0);  // an encoder that wraps another one may compute something else
  calls            = 0;
  auto const fused = step<in_doubles>(&table, at::MemoryFormat::Contiguous, at::kDouble, 1);
  auto const exact = step<in_doubles>(nullptr, at::MemoryFormat::Contiguous, at::kDouble, 1);
  REQUIRE(calls == 0);  // doubles stay with ATen
  REQUIRE(fused.size() == exact.size());
  for (std::size_t i = 0; i < fused.size(); ++i) REQUIRE(fused[i].equal(exact[i]));
  calls = 0;
  for (auto const& each : step<conditioned>(&table, at::MemoryFormat::ChannelsLast, at::kBFloat16, 1))
    REQUIRE(each.isfinite().all().item<bool>());
  REQUIRE(calls == 1);
}
