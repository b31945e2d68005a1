// Whole trainings with all fused operations and captured steps: on a GPU with CUDA graphs, on the CPU with the CPU versions of the kernels
// and replays that call the work again.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/inference/predictor.hpp>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "reliability/tiny.hpp"

namespace {

struct pt {
  static constexpr char const* name = "pt";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<8, c2f::class_vector<4>>;
};

c2f::accelerator captured_as_call() { return {tests::device(), &c2f::cuda::fused, &tests::capture_as_call}; }
c2f::accelerator captured() { return tests::capturing_accelerator(&c2f::cuda::fused); }

struct outcome {
  std::vector<at::Tensor> numbers;
  std::vector<double> losses;
  bool keeps_step(c2f::progress const&) const { return false; }
  bool restore(c2f::training_state&) { return false; }
  void keep(c2f::training_state const& state, c2f::moment when) {
    if (when == c2f::moment::step) return;
    numbers.clear();
    for (auto const* list : {&state.model, &state.optimizer_state, &state.averages})
      for (auto const& [path, tensor] : *list)
        if (tensor.is_floating_point()) numbers.push_back(tensor.detach().to(at::kCPU).clone());
  }
  void on_step(c2f::step_record const& step) {
    for (auto const& [name, value] : step.losses) losses.push_back(value);
  }
};
template <class Task, class Data>
outcome trained(Data const& data, c2f::recipe::settings const& recipe) {
  c2f::stack<Task> model(7);
  outcome seen;
  c2f::fit(model, data, recipe, seen);
  return seen;
}
std::int64_t batch_size() { return tests::fast() ? 16 : 4; }
c2f::recipe::settings steps(std::int64_t epochs) {
  return c2f::recipe::settings{}.epochs(epochs).batch(batch_size()).learning_rate(0.02).ema(0.9).clip(5).seed(7).deterministic();
}
std::int64_t epochs() { return tests::fast() ? 10 : 1; }
std::int64_t steps_an_epoch() { return tests::fast() ? 10 : 5; }
c2f::data::glyphs<4> const& data() {  // the last step of an epoch is smaller
  static c2f::data::glyphs<4> const made({.train = (steps_an_epoch() - 1) * batch_size() + 3, .test = 20, .seed = 1});
  return made;
}

bool close(std::vector<double> const& a, std::vector<double> const& b, std::size_t count, double tolerance) {
  for (std::size_t i = 0; i < count; ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance * std::abs(a[i]) + tolerance)) return false;
  return true;
}

}  // namespace

TEST_CASE("kernel fit: replayed steps give the bytes of steps that are called, one by one") {
  C2F_NEEDS_DEVICE();
  for (bool const bf16 : {false, true}) {
    outcome const once  = trained<pt>(data(), steps(epochs()).bf16(bf16).on(captured_as_call())),
                  again = trained<pt>(data(), steps(epochs()).bf16(bf16).on(captured()));
    REQUIRE(once.losses.size() == static_cast<std::size_t>(2 * steps_an_epoch() * epochs()));
    REQUIRE(once.losses == again.losses);
    REQUIRE(tiny::same_bytes(once.numbers, again.numbers));
  }
}

TEST_CASE("kernel fit: the same seed gives the same bytes of all state, another seed different ones") {
  C2F_NEEDS_DEVICE();
  using task          = tiny::class_vector;
  auto const samples  = tiny::dataset<task::kind, 8>{{160, 1}, {8, 2}};
  auto const state_of = [&](std::uint64_t seed) {
    return trained<task>(samples, steps(tests::fast() ? 50 : 1).seed(seed).on(captured())).numbers;
  };
  auto const one = state_of(7);
  REQUIRE(tiny::same_bytes(one, state_of(7)));
  REQUIRE(!tiny::same_bytes(one, state_of(8)));
}

/// Every norm of a pass in channels_last reaches its kernel, so no operation before it has changed the memory format.
namespace {
int norms = 0;
at::Tensor counting(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& mean,
                    at::Tensor const& variance, at::Tensor const& shortcut, bool relu) {
  ++norms;
  REQUIRE(x.is_contiguous(at::MemoryFormat::ChannelsLast));
  if (shortcut.defined()) REQUIRE(shortcut.is_contiguous(at::MemoryFormat::ChannelsLast));
  return c2f::cuda::fused.norm_relu(x, weight, bias, mean, variance, shortcut, relu);
}
}  // namespace
TEST_CASE("kernel fit: images in channels_last keep the memory format through the whole pass") {
  C2F_NEEDS_DEVICE();
  c2f::fused_operations table = c2f::cuda::fused;
  table.norm_relu             = &counting;
  c2f::with_fused const scope(&table);
  c2f::stack<pt> model(3);
  c2f::move_to(model, tests::device());
  c2f::to_channels_last(model);
  c2f::pass p{.mode = c2f::train, .truth = tests::integers(4, {4}, 1), .t = 0.5};
  model(tests::normal({4, 3, 32, 32}, 2).contiguous(at::MemoryFormat::ChannelsLast), p);
  p.loss().backward();
  REQUIRE(norms == 2 * 9);  // 1 + 3 blocks of 2, and the 2 of the shortcuts
  c2f::for_each_tensor(model, [](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained && each.tensor().dim() == 4) REQUIRE(each.tensor().grad().is_contiguous(at::MemoryFormat::ChannelsLast));
  });
}

TEST_CASE("kernel fit: fused operations train as ATen's operations on the CPU, for every kind") {
  C2F_NEEDS_DEVICE();
  outcome const plain = trained<pt>(data(), steps(1)), fused = trained<pt>(data(), steps(1).on(captured()));
  REQUIRE(close(plain.losses, fused.losses, 10, 1e-3));  // later, rounding differences have grown
  outcome const boxes     = trained<tiny::boxes>(tiny::data_of<tiny::boxes>(), steps(1).batch(4)),
                boxes_too = trained<tiny::boxes>(tiny::data_of<tiny::boxes>(), steps(1).batch(4).on(captured()));
  REQUIRE(close(boxes.losses, boxes_too.losses, 10, 1e-3));
  outcome const dense     = trained<tiny::dense>(tiny::data_of<tiny::dense>(), steps(1).batch(4)),
                dense_too = trained<tiny::dense>(tiny::data_of<tiny::dense>(), steps(1).batch(4).on(captured()));
  REQUIRE(close(dense.losses, dense_too.losses, 10, 1e-3));
}

TEST_CASE("kernel fit: the steps are captured") {
  C2F_NEEDS_DEVICE();
  c2f::stack<pt> model(3);
  auto const recipe = steps(1).on(captured());
  c2f::move_to(model, tests::device());
  c2f::to_channels_last(model);
  c2f::training_step<pt> step(model, recipe);
  for (auto const& batch : c2f::data::loader{data().train, {.batch = batch_size()}}.epoch(0)) {
    step.queue({batch}, {.t = 0.5, .learning_rate = 0.01});
    INFO(step.why_not_captured());
    REQUIRE(step.captured());
    step.next(/*wait=*/true);
  }
}

TEST_CASE("kernel fit: a captured evaluation of images on the device gives the scores of one that is not captured") {
  C2F_NEEDS_DEVICE();
  c2f::stack<pt> model(3);
  c2f::data::glyphs<4> const other({.train = 1, .test = 150, .seed = 1});
  c2f::move_to(model, tests::device());
  c2f::to_channels_last(model);
  auto const recipe = steps(1).on(captured());
  c2f::detail::evaluator<c2f::stack<pt>, std::remove_cvref_t<decltype(other.test)>> captured_passes(model, other.test, recipe,
                                                                                                    /*often=*/true);
  auto const scored = [&] { return *captured_passes.scores([] { return false; }); };
  std::vector<double> before;
  for (int i = 0; i < 2; ++i) {
    auto const found = scored(), wanted = c2f::evaluate(model, other.test, steps(1).device(tests::device()));
    REQUIRE(found.size() == 2);
    for (std::size_t stage = 0; stage < 2; ++stage)
      for (std::size_t value = 0; value < 2; ++value)  // a sample with two almost equal logits may get either class
        REQUIRE(std::abs(found[stage].values[value].second - wanted[stage].values[value].second) < 1.5 / 150);
    std::vector<double> const now{found[0].values[0].second, found[1].values[0].second};
    REQUIRE(now != before);
    before = now;
    at::NoGradGuard const no_gradients;
    for (auto const& each : c2f::parameters(model)) each.mul_(-1);  // a replay reads the new values
  }
}

TEST_CASE("kernel fit: a predictor on the device gives the model's predictions") {
  C2F_NEEDS_DEVICE();
  c2f::stack<pt> const model(3);
  c2f::predictor<pt> predict(model, {.on = captured()});
  at::Tensor const x = c2f::detail::sample_numbers({5, 3, 32, 32}, 7).to(at::kFloat);
  at::NoGradGuard const no_gradients;
  for (int i = 0; i < 3; ++i) REQUIRE(predict(x).fine.to(at::kCPU).allclose(model(x, c2f::eval).fine, 1e-3, 1e-3));
  REQUIRE(predict.captured_sizes() == 1);
}
