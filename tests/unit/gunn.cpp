// Gradually updated layers: by hand, against a definition in plain ATen calls and finite differences; what is kept for the backward pass.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/layers/frozen.hpp>
#include <c2f/networks/gunn.hpp>
#include <c2f/train/adversarial.hpp>
#include <c2f/train/sgd.hpp>

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/full.h>

#include <map>
#include <memory>
#include <optional>

#include "../../benchmarks/counted_bytes.hpp"
#include "catch.hpp"
#include "refusal.hpp"

namespace {

using c2f::eval;
using c2f::train;
namespace update      = c2f::update;
namespace activations = c2f::activations;
namespace shortcut    = c2f::shortcut;
using input           = c2f::image<12, 5, 4>;

at::Tensor numbers(std::vector<std::int64_t> const& dims, std::uint64_t seed) { return c2f::detail::sample_numbers(dims, seed); }
double largest(at::Tensor const& x) { return x.abs().max().item<double>(); }

template <class Net>
std::map<std::string, at::Tensor> tensors_of(Net const& net) {
  std::map<std::string, at::Tensor> all;
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const& each, auto const&) { all[path] = each.tensor(); });
  return all;
}
/// Values that are no initial values: norms with a slope and shift, running statistics that are not 0 and 1.
template <class Net>
void fill(Net& net, at::ScalarType type) {
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) {
    std::vector<std::int64_t> const dims(traits.dims.begin(), traits.dims.end());
    if (path.ends_with("num_batches_tracked")) return each.assign(at::zeros({}, at::kLong));
    at::Tensor value = numbers(dims.empty() ? std::vector<std::int64_t>{1} : dims, c2f::hash_of(path)).mul_(0.5);
    if (path.ends_with("running_var") || (value.dim() == 1 && path.ends_with("weight"))) value = value.abs().add_(0.5);
    each.assign(value.to(type).set_requires_grad(traits.trained));
  });
}
template <std::int64_t Groups, class Unit, class Update, class Kept>
using layer = c2f::network_on<c2f::gunn<Groups, Unit, Update, Kept>, input>;

struct result {
  at::Tensor y, to_x;
  std::map<std::string, at::Tensor> gradients, state;
};
/// A pass and its backward pass, for the sum of y times fixed numbers.
template <class Net>
result run(Net const& net, at::Tensor const& x, c2f::mode m) {
  result found;
  at::Tensor const read = x.detach().clone().set_requires_grad(true);
  found.y               = net(read, m);
  found.y.mul(numbers({x.size(0), 12, x.size(2), x.size(3)}, 77).to(x.scalar_type())).sum().backward();
  found.to_x = read.grad();
  for (auto const& [path, tensor] : tensors_of(net))
    if (tensor.requires_grad())
      found.gradients[path] = tensor.grad();
    else
      found.state[path] = tensor;
  return found;
}
void require_equal(result const& a, result const& b, double rounding) {
  REQUIRE(a.y.equal(b.y));
  REQUIRE(largest(a.to_x.sub(b.to_x)) <= rounding * std::max(1.0, largest(b.to_x)));
  REQUIRE(a.gradients.size() == b.gradients.size());
  for (auto const& [path, gradient] : b.gradients) {
    INFO(path);
    REQUIRE(a.gradients.at(path).defined());
    REQUIRE(largest(a.gradients.at(path).sub(gradient)) <= rounding * std::max(1.0, largest(gradient)));
  }
  for (auto const& [path, value] : b.state) {
    INFO(path);
    REQUIRE(a.state.at(path).equal(value));
  }
}

/// The layer in plain ATen calls, from its tensors by path.
at::Tensor defined(std::map<std::string, at::Tensor> const& of, at::Tensor x, std::int64_t groups, std::int64_t stacked, bool gradual,
                   bool residual, char const* kind_of_shortcut) {
  std::string const kind(kind_of_shortcut);
  std::int64_t const width = x.size(1) / groups;
  auto const norm          = [&](std::string const& path, at::Tensor const& y) {
    return at::batch_norm(y, of.at(path + ".weight"), of.at(path + ".bias"), {}, {}, true, 0.1, 1e-5, false);
  };
  at::Tensor const old = x;
  for (std::int64_t i = 0; i < groups; ++i) {
    std::string const unit = std::to_string(i) + ".", stack = kind == "per_stack" ? unit + "body." : unit;
    at::Tensor const map = gradual ? x : old;
    at::Tensor y         = map;
    for (std::int64_t k = 0; k < stacked; ++k) {
      std::string const each  = stacked > 1 ? stack + std::to_string(k) + "." : stack;
      at::Tensor const before = y;
      y                       = norm(each + "bn1", at::conv2d(y, of.at(each + "conv1.weight"))).relu();
      y                       = norm(each + "bn2", at::conv2d(y, of.at(each + "conv2.weight"), {}, 1, 1)).relu();
      y                       = norm(each + "bn3", at::conv2d(y, of.at(each + "conv3.weight")));
      if (kind == "per_unit") y = y.add(norm(each + "shortcut.1", at::conv2d(before, of.at(each + "shortcut.0.weight"))));
    }
    if (kind == "per_stack") y = y.add(norm(unit + "shortcut.1", at::conv2d(map, of.at(unit + "shortcut.0.weight"))));
    if (residual) y = y.add(map.narrow(1, i * width, width));
    x = at::cat({x.narrow(1, 0, i * width), y, x.narrow(1, (i + 1) * width, x.size(1) - (i + 1) * width)}, 1);
  }
  return x;
}

template <bool Residual>
struct sum_of_channels {
  static constexpr bool residual = Residual;
  template <std::int64_t Width>
  using of = c2f::conv<Width, 1, 1, 0, c2f::no_bias, 1, c2f::initial::ones>;
};
struct frozen_unit {
  static constexpr bool residual = true;
  template <std::int64_t Width>
  using of = c2f::frozen<c2f::gunn_unit<1>::of<Width>>;
};
struct unit_that_answers {
  static constexpr bool residual = false;
  template <std::int64_t>
  using of = c2f::identity;
};

}  // namespace

TEST_CASE("two groups of two channels by hand") {
  at::Tensor const x = at::arange(1, 5, at::kDouble).view({1, 4, 1, 1});
  auto const check = [&]<bool Residual, class Update, class Kept>(std::vector<double> const& wanted, std::vector<double> const& gradient) {
    auto net              = c2f::make_network<c2f::gunn<2, sum_of_channels<Residual>, Update, Kept>, c2f::image<4, 1, 1>>(1);
    at::Tensor const read = x.clone().set_requires_grad(true), y = net(read, train);
    REQUIRE(y.view({4}).equal(at::tensor(wanted)));
    y.sum().backward();
    REQUIRE(read.grad().view({4}).equal(at::tensor(gradient)));
  };
  auto const both = [&]<class Kept>() {
    check.template operator()<true, update::gradual, Kept>({11, 12, 33, 34}, {9, 9, 9, 9});
    check.template operator()<true, update::simultaneous, Kept>({11, 12, 13, 14}, {5, 5, 5, 5});
    check.template operator()<false, update::gradual, Kept>({10, 10, 27, 27}, {6, 6, 8, 8});
    check.template operator()<false, update::simultaneous, Kept>({10, 10, 10, 10}, {4, 4, 4, 4});
  };
  both.operator()<activations::kept>();
  both.operator()<activations::recomputed>();
}

TEST_CASE("a layer that recomputes has the values, statistics and gradients of its definition") {
  auto const check = []<std::int64_t Groups, class Unit, class Update>(std::int64_t stacked, char const* kind) {
    for (auto const type : {at::kDouble, at::kFloat}) {
      at::Tensor const x = numbers({3, 12, 5, 4}, 5).to(type);
      for (auto const m : {train, eval})
        for (bool const last : {false, true}) {
          layer<Groups, Unit, Update, activations::kept> kept;
          layer<Groups, Unit, Update, activations::recomputed> recomputed;
          fill(kept, type);
          fill(recomputed, type);
          at::Tensor const map = last ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
          result const a = run(recomputed, map, m), b = run(kept, map, m);
          require_equal(a, b, type == at::kDouble ? 1e-10 : 1e-5);
          REQUIRE(a.y.suggest_memory_format() == map.suggest_memory_format());
          for (auto const& [path, value] : a.state)
            if (path.ends_with("num_batches_tracked")) REQUIRE(value.equal(at::full({}, m == train ? 1 : 0, at::kLong)));
          if (m == train && type == at::kDouble)
            REQUIRE(largest(defined(tensors_of(kept), x, Groups, stacked, std::is_same_v<Update, update::gradual>, Unit::residual, kind)
                                .sub(a.y)) < 1e-12);
        }
    }
  };
  check.operator()<3, c2f::gunn_unit<>, update::gradual>(1, "none");
  check.operator()<4, c2f::gunn15_unit, update::gradual>(1, "per_unit");
  check.operator()<3, c2f::gunn_unit<1, 2, shortcut::per_stack>, update::gradual>(2, "per_stack");
  check.operator()<2, c2f::gunn_unit<1, 2, shortcut::per_unit, false>, update::gradual>(2, "per_unit");
  check.operator()<3, c2f::gunn_unit<1>, update::simultaneous>(1, "none");
  check.operator()<2, c2f::gunn_unit<1, 1, shortcut::per_unit, false>, update::simultaneous>(1, "per_unit");
}

TEST_CASE("with one group, gradual and simultaneous are the same; with more they are not") {
  auto const of = []<std::int64_t Groups, class Update>() {
    layer<Groups, c2f::gunn_unit<1>, Update, activations::recomputed> net;
    fill(net, at::kDouble);
    return run(net, numbers({2, 12, 5, 4}, 5), train);
  };
  require_equal(of.operator()<1, update::gradual>(), of.operator()<1, update::simultaneous>(), 0);
  REQUIRE(largest(of.operator()<2, update::gradual>().y.sub(of.operator()<2, update::simultaneous>().y)) > 0.1);
}

TEST_CASE("a unit that answers what it reads passes the gradient on") {
  auto const net     = c2f::make_network<c2f::gunn<1, unit_that_answers>, c2f::image<4, 2, 2>>(1);
  at::Tensor const x = numbers({1, 4, 2, 2}, 3).set_requires_grad(true), dy = numbers({1, 4, 2, 2}, 4);
  net(x, train).backward(dy);
  REQUIRE(x.grad().equal(dy));
}

TEST_CASE("gradients are those of finite differences") {
  auto const check = []<class Unit>() {
    layer<3, Unit, update::gradual, activations::recomputed> net;
    fill(net, at::kDouble);
    at::Tensor const x = numbers({2, 12, 5, 4}, 9), weight = numbers({2, 12, 5, 4}, 77);
    result const found = run(net, x, train);
    auto const loss    = [&](at::Tensor const& map) {
      at::NoGradGuard const no_gradients;
      return net(map, train).mul(weight).sum().template item<double>();
    };
    double const h     = 1e-6;
    auto const compare = [&](at::Tensor const& moved, at::Tensor const& gradient, auto const& value) {
      at::Tensor const flat = moved.detach().view({-1});
      for (std::int64_t i = 0; i < flat.numel(); i += 1 + flat.numel() / 5) {
        double const old = flat[i].template item<double>();
        flat[i].fill_(old + h);
        double const above = value();
        flat[i].fill_(old - h);
        double const below = value();
        flat[i].fill_(old);
        REQUIRE(std::abs((above - below) / (2 * h) - gradient.reshape({-1})[i].template item<double>()) < 1e-5);
      }
    };
    at::Tensor const read = x.clone();
    compare(read, found.to_x, [&] { return loss(read); });
    for (auto const& [path, tensor] : tensors_of(net))
      if (tensor.requires_grad()) {
        INFO(path);
        compare(tensor, found.gradients.at(path), [&] { return loss(x); });
      }
  };
  check.operator()<c2f::gunn15_unit>();
  check.operator()<c2f::gunn_unit<1, 2, shortcut::per_stack, false>>();
}

TEST_CASE("a backward pass computes what is asked for and nothing else") {
  using network =
      c2f::predicts<c2f::class_vector<3>, c2f::conv<12, 3>, c2f::gunn<3, c2f::gunn_unit<1>>, c2f::global_average_pool, c2f::linear<3>>;
  using picture      = c2f::image<3, 6, 6>;
  auto const net     = c2f::make_network<network, picture>(1);
  at::Tensor const x = numbers({4, 3, 6, 6}, 1).to(at::kFloat), truth = at::tensor({0, 1, 2, 0}, at::kLong);
  // Adversarial examples: gradients of the pixels alone.
  REQUIRE(largest(c2f::adversarial(net, x, truth, 0.1).sub(x)) > 0.09);
  for (auto const& each : c2f::parameters(net)) REQUIRE(!each.grad().defined());
  // Parameters alone: the picture has no gradient, and neither does an input of the layer.
  using first = c2f::network_on<c2f::gunn<3, c2f::gunn_unit<1>>, input>;
  first alone;
  fill(alone, at::kFloat);
  at::Tensor const map = numbers({2, 12, 5, 4}, 5).to(at::kFloat);
  alone(map, train).square().sum().backward();
  for (auto const& each : c2f::parameters(alone)) REQUIRE(each.grad().defined());
  // One parameter of one unit.
  for (auto const& each : c2f::parameters(alone)) each.mutable_grad() = at::Tensor();
  at::Tensor const one = alone.units[1].conv1.weight.tensor();
  alone(map, train).square().sum().backward({}, std::nullopt, false, at::TensorList(one));
  for (auto const& each : c2f::parameters(alone)) REQUIRE(each.grad().defined() == each.is_same(one));
  // Nothing: no graph.
  {
    at::NoGradGuard const no_gradients;
    REQUIRE(!alone(map, train).requires_grad());
  }
  auto const still = c2f::make_network<c2f::frozen<c2f::gunn<3>>, input>(1);
  REQUIRE(!still(map, train).requires_grad());
  at::Tensor const read = map.clone().set_requires_grad(true);
  still(read, train).square().sum().backward();
  REQUIRE(largest(read.grad()) > 0);
}

TEST_CASE("a graph of a layer that is gone, moved or changed is an error") {
  using net             = c2f::network_on<c2f::gunn<3, c2f::gunn_unit<1>>, input>;
  at::Tensor const x    = numbers({2, 12, 5, 4}, 5).to(at::kFloat);
  auto make             = [] { return c2f::make_network<c2f::gunn<3, c2f::gunn_unit<1>>, input>(1); };
  auto const message_of = [](auto const& call) { return tests::refusal<c2f::error>(call); };
  at::Tensor y          = make()(x, train);
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "destroyed, moved or assigned to"));
  net first = make();
  y         = first(x, train);
  net second(std::move(first));
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "destroyed, moved or assigned to"));
  y      = second(x, train);
  second = make();
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "destroyed, moved or assigned to"));
  net const copy = second;  // a copy changes nothing
  y              = second(x, train);
  {
    net const another = second;
  }
  y.sum().backward();
  y = second(x, train);
  {
    at::NoGradGuard const no_gradients;
    second.units[0].conv1.weight.tensor().add_(1);
  }
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  y = second(x, train);
  c2f::move_to(second, at::kCPU);  // other tensors of equal values
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  at::Tensor const before = second(x, train);
  (void)second(x, train);  // moves the running statistics, which do not matter to a pass in training
  before.sum().backward();
  at::Tensor const map = x.clone();
  y                    = second(map, train);
  map.add_(1);
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  y = second(x, train);
  {
    at::NoGradGuard const no_gradients;
    y.mul_(2);
  }
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  // A pass in eval mode reads the running statistics again, and frozen parameters are read in every mode.
  y = second(x, c2f::eval);
  (void)second(x, c2f::eval);
  y.sum().backward();
  y = second(x, c2f::eval);
  (void)second(x, train);
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  y = second(x, c2f::eval);
  second.units[1].bn2.running_var.tensor().add_(1);
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  at::Tensor const frozen = second.units[2].conv1.weight.tensor();
  frozen.set_requires_grad(false);
  for (auto const mode : {c2f::eval, train}) {
    y = second(x, mode);
    y.sum().backward();
    y = second(x, mode);
    frozen.mul_(2);
    REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "was changed between"));
  }
  frozen.set_requires_grad(true);
  y = second(x, train);
  y.sum().backward();
  REQUIRE(tests::has(message_of([&] { y.sum().backward(); }), "retain the graph"));
  y                     = second(x, train);
  at::Tensor const some = c2f::parameters(second)[0];
  REQUIRE(tests::has(message_of([&] { (void)torch::autograd::grad({y.square().sum()}, {some}, {}, true, /*create_graph=*/true); }),
                     "c2f::activations::kept"));
  // A graph that is retained gives its gradients again.
  for (auto const& each : c2f::parameters(second)) each.mutable_grad() = at::Tensor();
  at::Tensor const loss = second(x, train).square().sum();
  loss.backward({}, true);
  at::Tensor const once = c2f::parameters(second)[0].grad().clone();
  loss.backward();
  REQUIRE(largest(c2f::parameters(second)[0].grad().sub(once.mul(2))) <= 1e-5 * largest(once));
}

TEST_CASE("a frozen unit that is changed between the passes is an error, in training too") {
  auto const net       = c2f::make_network<c2f::gunn<3, frozen_unit>, input>(1);
  at::Tensor const x   = numbers({2, 12, 5, 4}, 5).to(at::kFloat).set_requires_grad(true);
  auto const& unit     = net.units[1];
  auto const unchanged = [&] {
    at::Tensor const first = net(x, train), second = net(x, train);  // it runs in eval mode: nothing moves
    second.sum().backward();
    first.sum().backward();
  };
  unchanged();
  for (at::Tensor const& each : {unit.conv2.weight.tensor(), unit.bn1.weight.tensor(), unit.bn2.running_var.tensor()}) {
    at::Tensor const y = net(x, train);
    each.add_(1);
    REQUIRE(tests::has(tests::refusal<c2f::error>([&] { y.sum().backward(); }), "was changed between"));
  }
  unchanged();
}

TEST_CASE("what is kept for the backward pass does not grow with the number of groups") {
  using picture          = c2f::image<24, 16, 16>;
  at::Tensor const x     = numbers({2, 24, 16, 16}, 1).to(at::kFloat);
  std::int64_t const map = x.numel() * 4;
  auto const kept_bytes  = [&]<std::int64_t Groups, class Kept>() {
    auto const net   = c2f::make_network<c2f::gunn<Groups, c2f::gunn_unit<2>, update::gradual, Kept>, picture>(1);
    auto const bytes = std::make_shared<counted_bytes>();
    at::Tensor y;
    {
      c10::DebugInfoGuard const counting(c10::DebugInfoKind::PROFILER_STATE, bytes);
      y = net(x, train);
    }
    return bytes->now;
  };
  // The input is x itself, so that the output is all.
  REQUIRE(kept_bytes.operator()<1, activations::recomputed>() == map);
  REQUIRE(kept_bytes.operator()<12, activations::recomputed>() == map);
  // The definition keeps a map for each group, and the same activations of the units.
  REQUIRE(kept_bytes.operator()<12, activations::kept>() == kept_bytes.operator()<2, activations::kept>() + 10 * map);
}

TEST_CASE("low precision: bfloat16 maps and copies of the parameters") {
  auto const of = []<class Kept>() {
    layer<3, c2f::gunn15_unit, update::gradual, Kept> net;
    fill(net, at::kFloat);
    std::vector<at::Tensor> copies;
    c2f::for_each_tensor(net, [&](std::string const&, c2f::state_tensor& each, c2f::state_traits const& traits) {
      if (traits.trained && each.tensor().dim() == 4) {
        each.set_bf16_copy(each.tensor().detach().to(at::kBFloat16).set_requires_grad(true));
        copies.push_back(each.bf16_copy());
      }
    });
    at::Tensor const y = net(numbers({2, 12, 5, 4}, 5).to(at::kBFloat16), train);
    y.to(at::kFloat).mul(numbers({2, 12, 5, 4}, 77).to(at::kFloat)).sum().backward();
    std::vector<at::Tensor> all{y.detach()};
    for (auto const& each : copies) all.push_back(each.grad());
    for (auto const& each : c2f::parameters(net))
      if (each.dim() == 1)
        all.push_back(each.grad());
      else
        REQUIRE(!each.grad().defined());
    return all;
  };
  auto const a = of.operator()<activations::recomputed>(), b = of.operator()<activations::kept>();
  REQUIRE((a.size() == b.size() && a.size() > 30));
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].defined());
    REQUIRE(largest(a[i].to(at::kDouble).sub(b[i].to(at::kDouble))) <= 0.05 * std::max(1.0, largest(b[i])));
  }
}

namespace {
struct small_gunn {  // 12 channels, 3 groups
  template <class Kind, class... Head>
  using with = c2f::predicts<Kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::gunn_stage<12, 3, 1, c2f::gunn15_unit>, Head...>;
  using features = c2f::sequential<c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::gunn_stage<12, 3, 2, c2f::gunn15_unit>>;
};
struct classes {
  using input   = c2f::image<3, 16, 16>;
  using network = small_gunn::with<c2f::class_vector<5>, c2f::global_average_pool, c2f::linear<5>>;
};
struct objects {
  using input   = c2f::image<3, 16, 16>;
  using network = c2f::localiser<small_gunn::features, c2f::boxes<1>, 8>;
};
struct pixels {
  using input   = c2f::image<3, 16, 16>;
  using network = c2f::fcn<small_gunn::features, c2f::dense<3>>;
};
/// A step changes every parameter and lowers the loss of the batch.
template <class Task>
void learns(at::Tensor const& truth, double learning_rate = 0.02) {
  c2f::stack<Task> model(1);
  c2f::sgd optimizer(model, {.momentum = 0.9});
  at::Tensor const x = numbers({4, 3, 16, 16}, 3).to(at::kFloat);
  double first = 0, last = 0;
  for (int i = 0; i < 12; ++i) {
    c2f::pass p{.mode = train, .truth = truth, .t = 0.5, .seed = 1};
    model(x, p);
    optimizer.zero_gradients();
    last = p.loss().item<double>();
    if (i == 0) first = last;
    p.loss().backward();
    for (auto const& each : c2f::parameters(model)) REQUIRE(each.grad().defined());
    optimizer.step(learning_rate);
  }
  REQUIRE(last < 0.9 * first);
}
}  // namespace

TEST_CASE("gradually updated networks as coarse and fine networks of every kind") {
  learns<classes>(at::tensor({0, 1, 2, 4}, at::kLong));
  learns<objects>(at::tensor({0.5f, 0.5f, 0.4f, 0.3f, 1.0f}).view({1, 1, 5}).expand({4, 1, 5}).contiguous(), 0.005);
  learns<pixels>(numbers({4, 3, 16, 16}, 4).argmax(1));
}

TEST_CASE("gradually updated layers satisfy the laws of architectures") {
  auto const keeps_its_laws = [](c2f::conformance_report const& report) {
    std::string broken;
    for (auto const& law : report.broken()) broken += law + '\n';
    REQUIRE(broken == "");
    REQUIRE(report.laws() > 0);
  };
  keeps_its_laws(c2f::conformance<c2f::gunn<3, c2f::gunn15_unit>, input>());
  keeps_its_laws(c2f::conformance<c2f::gunn<2, c2f::gunn24_unit, update::simultaneous>, input>());
  keeps_its_laws(c2f::conformance<c2f::average_pool<2>, input>());
}

TEST_CASE("a predictor folds the norms of gradually updated layers") {
  c2f::stack<classes> model(1);
  at::Tensor const x = numbers({4, 3, 16, 16}, 3).to(at::kFloat);
  for (int i = 0; i < 3; ++i) {
    c2f::pass p{.mode = train, .truth = at::tensor({0, 1, 2, 4}, at::kLong)};
    model(x, p);
  }
  at::Tensor const wanted = model(x, eval).fine;
  c2f::predictor<classes> predict(model);
  REQUIRE(largest(predict(x).fine.sub(wanted)) < 1e-4);
  REQUIRE(predict.folded() == 2 * (2 + 3 * 4));
}
