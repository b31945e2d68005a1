// cuda/kernels/norm_relu.cuh against ATen's batch_norm, add and relu in double.
#include <c2f/c2f.hpp>

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>

#include <limits>

#include "catch.hpp"
#include "device.hpp"

namespace {

auto const& table        = c2f::cuda::fused;
constexpr auto last      = at::MemoryFormat::ChannelsLast;
using dims               = std::vector<std::int64_t>;
at::Tensor const nothing = {};

at::Tensor map_of(dims const& of, std::uint64_t seed, at::ScalarType type = at::kFloat) {
  return tests::normal(of, seed).to(type).contiguous(last);
}
/// The largest difference, relative to the largest number of `wanted`.
double difference(at::Tensor const& found, at::Tensor const& wanted) {
  at::Tensor const exact = wanted.to(at::kDouble);
  return found.to(at::kDouble).sub(exact).abs().max().item<double>() / (exact.abs().max().item<double>() + 1e-30);
}
at::Tensor input(at::Tensor const& values, at::ScalarType type) { return values.detach().to(type, false, true).set_requires_grad(true); }

/// The parameters and buffers of a norm.
struct norm_state {
  at::Tensor weight, bias, mean, var;
  norm_state(std::int64_t channels, at::ScalarType type)
      : weight(input(tests::normal({channels}, 11).mul(0.5).add(1), type)),
        bias(input(tests::normal({channels}, 12), type)),
        mean(tests::normal({channels}, 13).to(type)),
        var(tests::normal({channels}, 14).abs().to(type)) {}
};

/// The fused operation and ATen's in double on the same numbers: y, all gradients, the running statistics after one call.
void compare(at::Tensor const& x_, at::Tensor const& shortcut_, bool relu, double close) {
  std::int64_t const channels = x_.size(1);
  at::Tensor const dy         = tests::normal(x_.sizes().vec(), 3).to(x_.scalar_type());
  norm_state const ours(channels, at::kFloat), wanted(channels, at::kDouble);

  at::Tensor const x        = input(x_, x_.scalar_type());
  at::Tensor const shortcut = shortcut_.defined() ? input(shortcut_, x_.scalar_type()) : nothing;
  at::Tensor const y        = table.norm_relu(x, ours.weight, ours.bias, ours.mean, ours.var, shortcut, relu);
  y.backward(dy);

  at::Tensor const exact_x        = input(x_, at::kDouble);
  at::Tensor const exact_shortcut = shortcut_.defined() ? input(shortcut_, at::kDouble) : nothing;
  at::Tensor z                    = at::batch_norm(exact_x, wanted.weight, wanted.bias, wanted.mean, wanted.var, true, 0.1, 1e-5, false);
  if (shortcut_.defined()) z = z.add(exact_shortcut);
  // A value within rounding of 0 may be zeroed by one ReLU and not by the other, so the gradient is masked by the fused result.
  z.backward(relu ? dy.to(at::kDouble).mul(y.detach().gt(0)) : dy.to(at::kDouble));

  REQUIRE(y.is_contiguous(last));
  REQUIRE(y.scalar_type() == x.scalar_type());
  REQUIRE(difference(y.detach(), relu ? z.detach().relu() : z.detach()) < close);
  REQUIRE(difference(x.grad(), exact_x.grad()) < close);
  REQUIRE(difference(ours.weight.grad(), wanted.weight.grad()) < close);
  REQUIRE(difference(ours.bias.grad(), wanted.bias.grad()) < close);
  REQUIRE(difference(ours.mean, wanted.mean) < 1e-5);
  REQUIRE(difference(ours.var, wanted.var) < 1e-5);
  if (shortcut_.defined()) REQUIRE(difference(shortcut.grad(), exact_shortcut.grad()) < close);
}

}  // namespace

TEST_CASE("kernel norm_relu: y, running statistics and gradients are batch_norm's, add's and relu's") {
  C2F_NEEDS_DEVICE();
  // Fewer, as many and more rows than one thread block processes, odd numbers of rows, tiles of 8, 16 and 32 channels, maps of one pixel.
  for (dims const& of : {dims{9, 8, 1, 1}, dims{3, 8, 5, 7}, dims{2, 16, 16, 16}, dims{3, 16, 19, 19}, dims{5, 24, 13, 11},
                         dims{7, 64, 9, 9}, dims{3, 48, 33, 31}, dims{5, 2048, 2, 1}, dims{4, 96, 12, 12}, dims{9, 8, 121, 127}})
    for (auto const type : {at::kFloat, at::kBFloat16})
      for (bool const relu : {true, false})
        for (bool const summed : {true, false})
          compare(map_of(of, 1, type), summed ? map_of(of, 2, type) : nothing, relu, type == at::kFloat ? 1e-5 : 1e-2);
}

TEST_CASE("kernel norm_relu: other layouts and number types are converted") {
  C2F_NEEDS_DEVICE();
  dims const of{3, 16, 6, 5};
  compare(tests::normal(of, 1), tests::normal(of, 2), true, 1e-5);
  at::Tensor const odd = tests::normal({3 * 16 * 6 * 5 + 1}, 4).narrow(0, 1, 3 * 16 * 6 * 5).view({3, 6, 5, 16}).permute({0, 3, 1, 2});
  REQUIRE(odd.is_contiguous(last));
  norm_state const norm(16, at::kFloat);
  auto const normed = [&](at::Tensor const& x) { return table.norm_relu(x, norm.weight, norm.bias, norm.mean, norm.var, x, true); };
  REQUIRE(normed(odd).equal(normed(odd.clone())));  // the address of odd is 4 bytes behind a multiple of 16
  REQUIRE(table.norm_relu(map_of(of, 1, at::kDouble), norm.weight, norm.bias, norm.mean, norm.var, nothing, true).scalar_type() ==
          at::kFloat);
  for (dims const& not_one : {dims{2, 3, 4, 4}, dims{2, 12, 4, 4}, dims{4, 16}}) {
    norm_state const other(not_one[1], at::kFloat);
    REQUIRE_THROWS_AS(table.norm_relu(tests::normal(not_one, 1), other.weight, other.bias, other.mean, other.var, nothing, true),
                      c2f::input_error);
  }
}

TEST_CASE("kernel norm_relu: a mean far from zero, or a first number far from the mean, costs no digits") {
  C2F_NEEDS_DEVICE();
  at::Tensor const far = map_of({9, 16, 30, 30}, 1).add(1000);
  compare(far, nothing, true, 5e-5);  // 2^-24 of 1000 is 6e-5, and y's largest number is about 4
  at::Tensor const outlier = map_of({9, 16, 30, 30}, 1);
  outlier.select(0, 0).select(1, 0).select(1, 0).fill_(1e4);
  compare(outlier, nothing, false, 1e-5);
}

TEST_CASE("kernel norm_relu: the same input gives the same bits, and NaN is propagated") {
  C2F_NEEDS_DEVICE();
  at::Tensor const x = map_of({5, 24, 17, 19}, 1, at::kBFloat16), dy = map_of({5, 24, 17, 19}, 2, at::kBFloat16);
  auto const run = [&](at::Tensor const& from) {
    norm_state const norm(24, at::kFloat);
    at::Tensor const in = input(from, at::kBFloat16), y = table.norm_relu(in, norm.weight, norm.bias, norm.mean, norm.var, nothing, true);
    y.backward(dy);
    return std::vector{y.detach(), in.grad(), norm.weight.grad(), norm.bias.grad(), norm.mean, norm.var};
  };
  auto const one = run(x), two = run(x);
  for (std::size_t i = 0; i < one.size(); ++i) REQUIRE(one[i].equal(two[i]));

  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor const spoilt = x.clone();
    spoilt.select(0, 4).select(0, 3).select(0, 16).select(0, 18).fill_(bad);
    auto const seen = run(spoilt);
    REQUIRE(seen[0].select(1, 3).isnan().any().item<bool>());
    REQUIRE_FALSE(seen[0].select(1, 4).isnan().any().item<bool>());
    REQUIRE(seen[1].select(1, 3).isnan().any().item<bool>());
    REQUIRE(seen[5].isnan().sum().item<std::int64_t>() == 1);
  }
}

TEST_CASE("kernel norm_relu: gradients of several consumers are added bit for bit as autograd adds them") {
  C2F_NEEDS_DEVICE();
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (bool const relu : {true, false})
      for (bool const summed : {true, false})
        for (int const consumers : {2, 3}) {
          dims const of{5, 24, 13, 11};
          auto const run = [&](bool fan_out) {
            norm_state const norm(24, at::kFloat);
            at::Tensor const x = input(map_of(of, 1), type), shortcut = summed ? input(map_of(of, 2), type) : nothing,
                             y = table.norm_relu(x, norm.weight, norm.bias, norm.mean, norm.var, shortcut, relu);
            at::Tensor sum     = y.mul(map_of(of, 3, type)).sum();
            for (int i = 1; i < consumers; ++i) {
              at::Tensor const alias = fan_out ? table.gradient_fan_out(y) : y;
              REQUIRE(alias.is_alias_of(y));
              REQUIRE(alias.output_nr() == (fan_out ? i : 0));
              sum = sum.add(alias.mul(map_of(of, 3 + i, type)).sum());
            }
            sum.backward();
            return std::vector{x.grad(), norm.weight.grad(), norm.bias.grad(), summed ? shortcut.grad() : x.grad()};
          };
          auto const found = run(true), wanted = run(false);
          for (std::size_t i = 0; i < found.size(); ++i)
            if (consumers == 2)
              REQUIRE(found[i].equal(wanted[i]));
            else  // the order of three summands is not defined
              REQUIRE(difference(found[i], wanted[i]) < (type == at::kFloat ? 1e-5 : 1e-2));
        }
}

TEST_CASE("kernel norm_relu: a consumer without a gradient adds nothing, and the second consumer may be the only one") {
  C2F_NEEDS_DEVICE();
  dims const of{3, 8, 5, 7};
  auto const run = [&](bool first, bool second) {
    norm_state const norm(8, at::kFloat);
    at::Tensor const x = input(map_of(of, 1), at::kFloat),
                     y = table.norm_relu(x, norm.weight, norm.bias, norm.mean, norm.var, nothing, true), alias = table.gradient_fan_out(y);
    (first && second ? y.add(alias) : first ? y : alias).mul(map_of(of, 2)).sum().backward();
    return x.grad();
  };
  REQUIRE(run(false, true).equal(run(true, false)));
  REQUIRE(difference(run(true, true), run(true, false).mul(2)) < 1e-6);
  // Both residual blocks use the fan-out, with every kind of shortcut.
  auto const consumers = []<class Block>(std::type_identity<Block>) {
    c2f::with_fused const scope(&c2f::cuda::fused);
    auto block = c2f::make_network<Block, c2f::image<8, 5, 7>>(1);
    c2f::move_to(block, tests::device());
    norm_state const norm(8, at::kFloat);
    at::Tensor const x = input(map_of({3, 8, 5, 7}, 1), at::kFloat),
                     y = table.norm_relu(x, norm.weight, norm.bias, norm.mean, norm.var, nothing, true);
    block(y, c2f::train);
    return y.grad_fn()->num_inputs();
  };
  REQUIRE(consumers(std::type_identity<c2f::basic_block<8>>{}) == 2);
  REQUIRE(consumers(std::type_identity<c2f::basic_block<16, 2>>{}) == 2);
  REQUIRE(consumers(std::type_identity<c2f::bottleneck<2>>{}) == 2);

  at::Tensor const other = input(map_of(of, 1), at::kFloat), sum = other.add(1);
  REQUIRE(table.gradient_fan_out(other).is_same(other));
  REQUIRE(table.gradient_fan_out(sum).is_same(sum));
}

TEST_CASE("kernel norm_relu: the variance of one row is ATen's") {
  C2F_NEEDS_DEVICE();
  at::Tensor const x = map_of({1, 8, 1, 1}, 1);
  norm_state const ours(8, at::kFloat), wanted(8, at::kFloat);
  at::Tensor const y = table.norm_relu(x, ours.weight, ours.bias, ours.mean, ours.var, nothing, false);
  REQUIRE(difference(y, at::batch_norm(x, wanted.weight, wanted.bias, wanted.mean, wanted.var, true, 0.1, 1e-5, false)) < 1e-4);
  REQUIRE(difference(ours.mean, wanted.mean) < 1e-6);
  REQUIRE(ours.var.isnan().all().item<bool>() == wanted.var.isnan().all().item<bool>());
}

namespace {

/// Output, gradients and buffers of a training step of a network, with or without the fused operations.
template <class Net>
std::vector<at::Tensor> step(at::Tensor const& x, c2f::fused_operations const* with) {
  c2f::with_fused const scope(with);
  Net net;
  c2f::initialize(net, 1);
  c2f::move_to(net, tests::device());
  at::Tensor const y = net(x, c2f::train);
  y.backward(tests::normal(y.sizes().vec(), 4));
  std::vector<at::Tensor> all{y.detach()};
  c2f::for_each_tensor(net, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    all.push_back(traits.trained ? each.tensor().grad() : each.tensor());
  });
  return all;
}

int calls = 0;
at::Tensor counted(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& mean, at::Tensor const& var,
                   at::Tensor const& shortcut, bool relu) {
  ++calls;
  return table.norm_relu(x, weight, bias, mean, var, shortcut, relu);
}
constexpr c2f::fused_operations counting{.norm_relu = &counted};

template <class Net>
void same_step(at::Tensor const& x, int wanted_calls, double close) {
  calls             = 0;
  auto const wanted = step<Net>(x, nullptr), found = step<Net>(x, &counting);
  REQUIRE(calls == wanted_calls);
  REQUIRE(wanted.size() == found.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) REQUIRE(difference(found[i], wanted[i]) <= close);
}

}  // namespace

TEST_CASE("kernel norm_relu: norms, blocks and networks give the same results") {
  C2F_NEEDS_DEVICE();
  using input = c2f::image<16, 8, 8>;
  same_step<c2f::network_on<c2f::batch_norm, input>>(map_of({6, 16, 8, 8}, 1), 1, 1e-5);
  same_step<c2f::network_on<c2f::basic_block<16>, input>>(map_of({6, 16, 8, 8}, 1), 2, 1e-3);
  same_step<c2f::network_on<c2f::basic_block<24, 2>, input>>(map_of({6, 16, 8, 8}, 1), 3, 1e-3);
  same_step<c2f::network_on<c2f::bottleneck<16, 2>, input>>(map_of({6, 16, 8, 8}, 1), 4, 1e-3);
  same_step<c2f::network_on<c2f::sequential<c2f::conv<24, 3>, c2f::batch_norm, c2f::relu>, input>>(map_of({6, 16, 8, 8}, 1), 1, 1e-4);
  // Inputs that the kernel does not take use ATen's operations, with the same bits.
  same_step<c2f::network_on<c2f::batch_norm, c2f::image<3, 8, 8>>>(map_of({6, 3, 8, 8}, 1), 0, 0);
  same_step<c2f::network_on<c2f::basic_block<12>, input>>(map_of({6, 16, 8, 8}, 1), 0, 0);
  same_step<c2f::network_on<c2f::batch_norm, input>>(tests::normal({6, 16, 8, 8}, 1), 0, 0);
  same_step<c2f::network_on<c2f::batch_norm, c2f::vector<16>>>(tests::normal({6, 16}, 1), 0, 0);
}

TEST_CASE("kernel norm_relu: a step of a whole stack is the same, and eval does not use the kernel") {
  C2F_NEEDS_DEVICE();
  struct cifar {
    using input   = c2f::image<3, 32, 32>;
    using network = c2f::resnet_cifar<20, c2f::class_vector<10>>;
  };
  at::Tensor const images = map_of({8, 3, 32, 32}, 1), labels = tests::integers(10, {8}, 2);
  auto const trained = [&](c2f::fused_operations const* with) {
    c2f::with_fused const scope(with);
    c2f::stack<cifar> model(3);
    c2f::move_to(model, tests::device());
    c2f::to_channels_last(model);
    c2f::pass p{.mode = c2f::train, .truth = labels, .t = 0.5, .seed = 5};
    model(images, p);
    p.loss().backward();
    std::vector<at::Tensor> gradients, statistics{p.loss().detach()};
    c2f::for_each_tensor(model, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
      if (traits.trained)
        gradients.push_back(each.tensor().grad().to(at::kDouble).flatten());
      else
        statistics.push_back(each.tensor());
    });
    return std::pair{at::cat(gradients), statistics};
  };
  calls                           = 0;
  auto const [wanted, statistics] = trained(nullptr);
  auto const [found, moved]       = trained(&counting);
  REQUIRE(calls == 2 * 21);  // the stem's norm, two in each of nine blocks, two in shortcuts; coarse and fine
  REQUIRE(statistics.size() == moved.size());
  for (std::size_t i = 0; i < moved.size(); ++i) REQUIRE(difference(moved[i], statistics[i]) < 1e-4);
  // A ReLU whose input is within rounding of 0 may give a different mask, which changes gradients by a hundredth. So does noise of 1e-7 on
  // the images without the fused operation.
  REQUIRE(found.sub(wanted).norm().item<double>() < 0.03 * wanted.norm().item<double>());

  c2f::with_fused const scope(&counting);
  c2f::stack<cifar> model(3);
  c2f::move_to(model, tests::device());
  c2f::to_channels_last(model);
  calls = 0;
  model(images, c2f::eval);
  REQUIRE(calls == 0);
}
