// Widths that change at run time: the type says the widths that a network begins with, its tensors hold today's.
#include <c2f/conformance.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/sgd.hpp>

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::eval;
using c2f::train;

struct task : tiny::class_vector {
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<8, 3, 1, 1, c2f::bias>, c2f::relu,
                                c2f::global_average_pool, c2f::linear<3>>;
};
using model = c2f::stack<task>;

template <class Net>
std::map<std::string, at::Tensor> tensors_of(Net& net) {
  std::map<std::string, at::Tensor> all;
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor& each, auto const&) { all[path] = each.tensor(); });
  return all;
}

/// Sets both widths of a network that reads `channels`, with new values.
template <class Net>
void resize(Net& net, std::int64_t channels, std::int64_t first, std::int64_t second) {
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) {
    std::vector<std::int64_t> dims;
    if (path == "0.weight") dims = {first, channels, 3, 3};
    if (path == "1.weight" || path == "1.bias" || path == "1.running_mean" || path == "1.running_var") dims = {first};
    if (path == "3.weight") dims = {second, first, 3, 3};
    if (path == "3.bias") dims = {second};
    if (path == "6.weight") dims = {3, second};
    if (dims.empty()) return;
    at::Tensor const values = c2f::detail::sample_numbers(dims, c2f::hash_of(path)).to(at::kFloat).mul_(0.5);
    each.assign((path == "1.running_var" ? values.abs().add(0.5) : values).set_requires_grad(traits.trained));
  });
}
model resized(std::uint64_t seed, std::int64_t fine = 7) {
  model m(seed);
  resize(m.coarse, 3, 5, 13);
  resize(m.fine, 6, fine, 16);
  return m;
}
at::Tensor images() { return c2f::detail::sample_numbers({4, 3, 8, 8}, 1).to(at::kFloat); }
at::Tensor truths() { return c2f::detail::sample_numbers({4, 3}, 2).argmax(1); }

/// The coarse network by its definition.
at::Tensor defined(std::map<std::string, at::Tensor> const& of, at::Tensor const& x, bool training) {
  auto const v       = [&](char const* name) { return of.at(name).detach().clone(); };
  at::Tensor const a = at::batch_norm(at::conv2d(x, v("0.weight"), {}, 2, 1), v("1.weight"), v("1.bias"), v("1.running_mean"),
                                      v("1.running_var"), training, 0.1, 1e-5, false)
                           .relu();
  return at::linear(at::conv2d(a, v("3.weight"), v("3.bias"), 1, 1).relu().mean({2, 3}), v("6.weight"), v("6.bias"));
}

}  // namespace

TEST_CASE("a network runs, copies and is counted by the widths of its tensors") {
  model m = resized(1);
  REQUIRE(c2f::count_parameters(model(1)) == c2f::parameter_count<model>);
  REQUIRE(c2f::count_parameters(m.coarse) == 5 * 27 + 2 * 5 + 13 * 5 * 9 + 13 + 3 * 13 + 3);
  REQUIRE(c2f::count_parameters(m.fine) == 7 * 54 + 2 * 7 + 16 * 7 * 9 + 16 + 3 * 16 + 3);
  at::Tensor const x = images();
  for (auto const mode : {eval, train}) {
    at::Tensor const wanted = defined(tensors_of(m.coarse), x, mode == train);
    REQUIRE(m.coarse(x, mode).allclose(wanted, 1e-5, 1e-6));
  }
  model const copy  = m;
  auto const before = copy(x, eval);
  REQUIRE(before.fine.equal(m(x, eval).fine));
  for (auto const& [path, tensor] : tensors_of(m)) tensor.detach().zero_();
  REQUIRE(copy(x, eval).fine.equal(before.fine));
}

TEST_CASE("a predictor folds norms of other widths") {
  model const m     = resized(1);
  auto const wanted = m(images(), eval);
  c2f::predictor<task> predict(m);
  REQUIRE(predict.folded() == 2);
  auto const found = predict(images());
  REQUIRE(found.coarse.allclose(wanted.coarse, 1e-4, 1e-5));
  REQUIRE(found.fine.allclose(wanted.fine, 1e-4, 1e-5));
}

namespace {
std::vector<std::string> calls;
at::Tensor norm_relu(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& mean, at::Tensor const& var,
                     at::Tensor const& shortcut, bool relu) {
  REQUIRE(x.size(1) % 8 == 0);  // as the kernel
  calls.push_back("norm " + std::to_string(x.size(1)));
  at::Tensor y = at::batch_norm(x, weight, bias, mean, var, true, 0.1, 1e-5, false);
  if (shortcut.defined()) y = y.add(shortcut);
  return relu ? y.relu() : y;
}
at::Tensor bias_relu(at::Tensor const& x, at::Tensor const& bias, at::Tensor const&, bool relu) {
  REQUIRE(x.size(1) % 8 == 0);
  calls.push_back("bias " + std::to_string(x.size(1)));
  at::Tensor const y = x.add(bias.view({-1, 1, 1}));
  return relu ? y.relu() : y;
}
}  // namespace
TEST_CASE("fused operations run where today's widths suit them") {
  constexpr c2f::fused_operations table{.norm_relu = &norm_relu, .bias_relu = &bias_relu};
  auto const pass_of = [](model const& m) {
    c2f::to_channels_last(const_cast<model&>(m));
    c2f::pass p{.mode = train, .truth = truths(), .t = 0.5, .seed = 1};
    return m(images().contiguous(at::MemoryFormat::ChannelsLast), p);
  };
  auto const check = [&](model const& m, std::vector<std::string> const& wanted) {
    model const other = m;
    auto const plain  = pass_of(m);
    c2f::with_fused const scope(&table);
    calls.clear();
    auto const fused = pass_of(other);
    REQUIRE(calls == wanted);
    REQUIRE(fused.coarse.allclose(plain.coarse, 1e-5, 1e-6));
    REQUIRE(fused.fine.allclose(plain.fine, 1e-5, 1e-6));
  };
  std::string const stack = "norm 8", bias = "bias 8";
  model const by_its_type(1);
  check(by_its_type, {stack, bias, stack, bias});
  check(resized(1), {"bias 16"});  // 5, 13, 7 and 16
  check(resized(1, 24), {"norm 24", "bias 16"});
}

TEST_CASE("a training of other widths is resumed bit for bit by a model that takes them from the file") {
  tests::scratch const scratch;
  auto const folder = scratch.path / "kept";
  auto const data   = tiny::data_of<task>();
  auto const recipe = tiny::recipe().threads(0);
  model whole       = resized(1);
  tiny::spy wanted;
  c2f::fit(whole, data, recipe, wanted);
  {
    model stopped = resized(1);
    c2f::checkpoints kept(folder, {.every = 2});
    REQUIRE(kept.newest().empty());
    c2f::fit(stopped, data, recipe, kept, tiny::stops{.at = 7});
  }
  c2f::checkpoints kept(folder);
  {
    model by_type(9);
    tests::require_message(tests::refusal([&] { c2f::fit(by_type, data, recipe, kept); }),
                           {"'coarse.0.weight' is Float [5, 3, 3, 3] there and Float [8, 3, 3, 3] here"});
  }
  model resumed(9);
  c2f::take_sizes(resumed, c2f::data::read_safetensors(kept.newest() / "model.safetensors").tensors);
  tiny::spy found;
  auto const report = c2f::fit(resumed, data, recipe, kept, found);
  REQUIRE(report.start.done == 7);
  REQUIRE(report.start.parameters == c2f::count_parameters(whole));
  REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(resumed)));
  REQUIRE(tiny::same_bytes(wanted, found));
}

TEST_CASE("sizes are taken by name, from one network into another, and only where the number of dimensions is equal") {
  tests::scratch const scratch;
  auto const file = scratch.path / "weights";
  model from      = resized(1);
  c2f::save_weights(from, file);
  model into(2);
  REQUIRE(tests::has(tests::refusal([&] { c2f::load_weights(into, file); }), "unfit"));
  c2f::to_channels_last(into);
  auto const sizes = c2f::data::read_safetensors(file).tensors;
  c2f::take_sizes(into.coarse, sizes, {.from = "coarse."});
  c2f::take_sizes(into, sizes, {.from = "fine.", .into = "fine."});
  auto const held = tensors_of(into);
  REQUIRE(held.at("coarse.0.weight").is_contiguous(at::MemoryFormat::ChannelsLast));
  REQUIRE(held.at("fine.0.weight").requires_grad());
  REQUIRE(!held.at("fine.1.running_var").requires_grad());
  REQUIRE(held.at("coarse.6.bias").abs().sum().item<double>() > 0);  // of the same size: unchanged
  c2f::load_weights(into, file);
  REQUIRE(tiny::same_bytes(tiny::tensors_of(from), tiny::tensors_of(into)));

  auto wrong             = sizes;
  wrong["fine.3.weight"] = sizes.at("fine.6.weight");
  model other(3);
  auto const before = tiny::tensors_of(other);
  REQUIRE(tests::refusal([&] { c2f::take_sizes(other, wrong); }) ==
          "the network's 'fine.3.weight' is [8, 8, 3, 3] and cannot become [3, 16]: widths may differ, and not the number of dimensions; "
          "give the tensors of the same architecture");
  REQUIRE(tiny::same_bytes(before, tiny::tensors_of(other)));
}
