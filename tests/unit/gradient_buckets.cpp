// Buckets of gradients: sums in a fixed order, begun while the backward pass still runs.
#include <c2f/dist/gradient_buckets.hpp>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>

#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using c2f::dist::detail::gradient_buckets;

/// What a test's processes do: an event for each sum and each wait, and a factor by which a sum multiplies, as if there were so many of
/// equal processes.
struct fake_world {
  double factor = 2;
  std::vector<std::string> events{};
  bool others_have_gradients = false;  ///< of every parameter: ones

  struct pending : c2f::dist::detail::pending_sum {
    std::vector<std::string>& events;
    explicit pending(std::vector<std::string>& all) : events(all) {}
    void wait() override { events.push_back("wait"); }
  };
  c2f::dist::detail::begin_sum sum() {
    return [this](at::Tensor const& numbers) {
      REQUIRE(numbers.is_contiguous());
      events.push_back("sum " + std::to_string(numbers.numel()));
      if (others_have_gradients)
        numbers.add_(1);
      else
        numbers.mul_(factor);
      return std::make_unique<pending>(events);
    };
  }
};

/// Five parameters of 40,000 floats (160 kB) in a chain, so that the last one's gradient comes first: five buckets.
struct chain {
  std::vector<at::Tensor> parameters;
  chain() {
    for (int i = 0; i < 5; ++i) parameters.push_back(at::randn({200, 200}).set_requires_grad(true));
  }
  at::Tensor loss(std::size_t without = 9) const {
    at::Tensor x = at::ones({200, 1});
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (i != without) x = parameters[i].matmul(x).tanh();
    return x.sum();
  }
  std::vector<at::Tensor> gradients(std::size_t without = 9) const {
    for (auto const& each : parameters) each.mutable_grad().reset();
    loss(without).backward();
    std::vector<at::Tensor> all;
    for (auto const& each : parameters) {
      all.push_back(each.grad().defined() ? each.grad().clone() : at::Tensor());
      each.mutable_grad().reset();
    }
    return all;
  }
};

}  // namespace

TEST_CASE("gradients are the sums, and sums begin before the backward pass ends") {
  chain net;
  auto const own = net.gradients();
  fake_world world;
  c2f::dist::reduction_times times;
  gradient_buckets buckets(net.parameters, {}, world.sum(), times);
  for (int step = 0; step < 2; ++step) {
    for (auto const& each : net.parameters) each.mutable_grad().reset();
    world.events.clear();
    at::Tensor const losses = at::ones({3});
    at::Tensor const loss   = net.loss();
    buckets.begin({losses});
    loss.backward();
    REQUIRE(world.events == std::vector<std::string>{"sum 3", "sum 40000", "sum 40000", "sum 40000", "sum 40000", "sum 40000"});
    buckets.finish();
    REQUIRE(losses[0].item<float>() == 2);
    for (std::size_t i = 0; i < own.size(); ++i) REQUIRE(at::equal(net.parameters[i].grad(), own[i] * 2));
  }
  REQUIRE(times.running >= times.waited);
}

TEST_CASE("buckets are sent in one order, whatever the order of the gradients") {
  chain net;
  fake_world world;
  c2f::dist::reduction_times times;
  std::vector<at::Tensor> reversed(net.parameters.rbegin(), net.parameters.rend());
  auto const own = net.gradients();
  gradient_buckets buckets(reversed, {}, world.sum(), times);
  at::Tensor const loss = net.loss();
  buckets.begin({});
  loss.backward();  // the gradient of the first bucket comes last
  REQUIRE(world.events.size() == 5);
  buckets.finish();
  for (std::size_t i = 0; i < own.size(); ++i) REQUIRE(at::equal(net.parameters[i].grad(), own[i] * 2));
}

TEST_CASE("a parameter without a gradient in any process has none; with one in another process it has that") {
  chain net;
  auto const own = net.gradients(1);
  REQUIRE(!own[1].defined());
  for (bool const elsewhere : {false, true}) {
    fake_world world{.others_have_gradients = elsewhere};
    c2f::dist::reduction_times times;
    gradient_buckets buckets(net.parameters, {}, world.sum(), times);
    for (auto const& each : net.parameters) each.mutable_grad().reset();
    at::Tensor const loss = net.loss(1);
    buckets.begin({});
    loss.backward();
    buckets.finish();
    REQUIRE(net.parameters[1].grad().defined() == elsewhere);
    if (elsewhere) REQUIRE(at::equal(net.parameters[1].grad(), at::ones({200, 200})));
    for (std::size_t i : {0, 2, 3, 4}) REQUIRE(at::equal(net.parameters[i].grad(), elsewhere ? own[i] + 1 : own[i] * 2));
  }
}

TEST_CASE("sums begin in one order, whether a gradient came or not") {
  chain net;
  auto const events_of = [&](std::size_t without) {
    fake_world world;
    c2f::dist::reduction_times times;
    gradient_buckets buckets(net.parameters, {}, world.sum(), times);
    at::Tensor const loss = net.loss(without);
    buckets.begin({});
    loss.backward();
    buckets.finish();
    for (auto const& each : net.parameters) each.mutable_grad().reset();
    std::erase(world.events, "wait");
    return world.events;
  };
  auto const all = events_of(9);
  REQUIRE(all == std::vector<std::string>{"sum 40000", "sum 40000", "sum 40000", "sum 40000", "sum 40000", "sum 5"});
  for (std::size_t const without : {0, 1, 4}) REQUIRE(events_of(without) == all);
}

TEST_CASE("rare parameters are sent only if one of a bucket has a gradient") {
  chain net;
  for (std::size_t const without : {4, 9}) {
    fake_world world;
    c2f::dist::reduction_times times;
    auto const own = net.gradients(without);
    gradient_buckets buckets({net.parameters.begin(), net.parameters.begin() + 4}, {net.parameters[4]}, world.sum(), times);
    at::Tensor const loss = net.loss(without);
    buckets.begin({});
    loss.backward();
    buckets.finish();
    auto const sums = std::count_if(world.events.begin(), world.events.end(), [](auto const& each) { return each == "sum 40000"; });
    REQUIRE(sums == (without == 4 ? 4 : 5));
    REQUIRE(net.parameters[4].grad().defined() == own[4].defined());
    if (own[4].defined()) REQUIRE(at::equal(net.parameters[4].grad(), own[4] * 2));
    for (auto const& each : net.parameters) each.mutable_grad().reset();
  }
}

TEST_CASE("the gradients of several batches are added before they are sent") {
  chain net;
  auto const own = net.gradients();
  fake_world world;
  c2f::dist::reduction_times times;
  gradient_buckets buckets(net.parameters, {}, world.sum(), times);
  net.loss().backward();
  REQUIRE(world.events.empty());
  at::Tensor const loss = net.loss();
  buckets.begin({});
  loss.backward();
  buckets.finish();
  for (std::size_t i = 0; i < own.size(); ++i) REQUIRE(at::equal(net.parameters[i].grad(), own[i] * 4));
}

TEST_CASE("a gradient that only an earlier batch of the step has is sent, too") {
  chain net;
  auto const own = net.gradients(), less = net.gradients(1);
  for (bool const is_rare : {false, true}) {
    fake_world world;
    c2f::dist::reduction_times times;
    auto leaves = net.parameters;
    std::vector<at::Tensor> rare;
    if (is_rare) {
      rare.push_back(leaves[1]);
      leaves.erase(leaves.begin() + 1);
    }
    gradient_buckets buckets(leaves, rare, world.sum(), times);
    for (auto const& each : net.parameters) each.mutable_grad().reset();
    net.loss().backward();
    at::Tensor const loss = net.loss(1);
    buckets.begin({});
    loss.backward();
    buckets.finish();
    REQUIRE(at::equal(net.parameters[1].grad(), own[1] * 2));
    for (std::size_t i : {0, 2, 3, 4}) REQUIRE(at::equal(net.parameters[i].grad(), (own[i] + less[i]) * 2));
  }
}

TEST_CASE("without the buckets gradients stay those of this process") {
  chain net;
  auto const own = net.gradients();
  fake_world world;
  {
    c2f::dist::reduction_times times;
    gradient_buckets const buckets(net.parameters, {}, world.sum(), times);
  }
  auto const again = net.gradients();
  for (std::size_t i = 0; i < own.size(); ++i) REQUIRE(at::equal(again[i], own[i]));
  REQUIRE(world.events.empty());
}
