// A training step that is captured and replayed, against one that is not captured: the same bytes.
#include <c2f/layers/dropout.hpp>
#include <c2f/systems/coarse2fine.hpp>
#include <c2f/torch/network.hpp>
#include <c2f/train/fine_tune.hpp>

#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <torch/nn/modules/linear.h>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "reliability/tiny.hpp"

namespace {

/// Every float of the model and of its average, every loss and every score of a training. Counters of calls are left out: replays on the
/// CPU count them again.
struct outcome {
  std::vector<at::Tensor> numbers;
  std::vector<double> losses, scores;
  std::int64_t skipped = 0;
  bool restore(c2f::training_state&) { return false; }
  void keep(c2f::training_state const& state, c2f::moment) {
    numbers.clear();
    for (auto const* list : {&state.model, &state.optimizer_state, &state.averages})
      for (auto const& [path, tensor] : *list)
        if (tensor.is_floating_point()) numbers.push_back(tensor.detach().clone());
  }
  void on_step(c2f::step_record const& step) {
    for (auto const& [name, value] : step.losses) losses.push_back(value);
    skipped += step.skipped;
  }
  void on_epoch(c2f::epoch_record const& epoch) {
    for (auto const& stage : epoch.scores)
      for (auto const& [name, value] : stage.values) scores.push_back(value);
  }
};
template <class Task>
outcome trained(c2f::recipe::settings const& recipe) {
  c2f::stack<Task> model(1);
  outcome seen;
  c2f::fit(model, tiny::data_of<Task>(), recipe, seen);
  return seen;
}
/// captures: the expected number, of a step and of an evaluation's pass.
template <class Task>
void same_when_captured(c2f::recipe::settings const& recipe, int captures) {
  outcome const run   = trained<Task>(tests::captured_as_call(recipe));
  tests::captures     = 0;
  tests::replays      = 0;
  outcome const again = trained<Task>(tests::captured(recipe));
  CAPTURE(c2f::complete<Task>::name);
  REQUIRE(tests::captures == captures);
  REQUIRE((tests::replays > 0) == (captures > 0));
  REQUIRE(tiny::same_bytes(run.numbers, again.numbers));
  REQUIRE(run.losses == again.losses);
  REQUIRE(!run.scores.empty());
  REQUIRE(run.scores == again.scores);
}

struct drops : tiny::class_vector {
  using network = c2f::predicts<kind, tiny::layers, c2f::dropout<0.5>, c2f::global_average_pool, c2f::linear<3>>;
};
/// A stack inside of a stack: two random numbers per sample, one per level, and two schedules.
struct inner : tiny::class_vector {
  using schedule = c2f::schedule::ramp<0.2, 0.9, c2f::by::fraction>;
};
struct nested : tiny::class_vector {
  using network = c2f::coarse_fine<c2f::stack<inner>, tiny::class_vector::network>;
};
/// z is one until t is a half: a decision that depends on t on the host must not be captured.
struct late : tiny::class_vector {
  using encoder = c2f::encode::after<0.5, c2f::encode::tile<>>;
  using fuse    = c2f::fuse::multiply;
};
/// Draws from LibTorch's generator, as modules of LibTorch do.
struct at_dropout {
  template <c2f::shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return at::dropout(x, 0.5, m == c2f::train); }
  };
};
struct drops_elsewhere : tiny::class_vector {
  using network = c2f::predicts<kind, tiny::layers, at_dropout, c2f::global_average_pool, c2f::linear<3>>;
};
/// A map of each sample is drawn, and centres move in both passes.
struct attends : c2f::systems::coarse2fine<tiny::class_vector::kind, tiny::layers, c2f::image<3, 8, 8>, 2, c2f::upsampler<1>, 1.0, 10> {
  using data = tiny::class_vector::data;
};
/// A module with a trained parameter in double, which is in no flat buffer.
struct scaled : torch::nn::Cloneable<scaled> {
  std::int64_t channels;
  at::Tensor scale;
  torch::nn::Linear head{nullptr};
  explicit scaled(std::int64_t in) : channels(in) { scaled::reset(); }
  void reset() override {
    scale = register_parameter("scale", torch::ones({channels}, torch::kDouble));
    head  = register_module("head", torch::nn::Linear(channels, 3));
  }
  torch::Tensor forward(torch::Tensor const& x) { return head(x.mean({2, 3}).mul(scale.to(torch::kFloat))); }
};
struct of_doubles : tiny::class_vector {
  using network = c2f::torch_network<scaled, kind>;
};
struct corrupted : tiny::class_vector {
  using source = c2f::source::corrupt<0.5>;
};

}  // namespace

TEST_CASE("a captured step gives the bytes of one that is not captured") {
  C2F_NEEDS_DEVICE();
  same_when_captured<tiny::class_vector>(tiny::recipe(), 2);
  same_when_captured<tiny::boxes>(tiny::recipe(), 2);
  same_when_captured<nested>(tiny::recipe(), 2);
  same_when_captured<drops_elsewhere>(tiny::recipe(), 2);
  same_when_captured<tiny::casnet>(tiny::recipe(), 2);
  same_when_captured<c2f::systems::casnet_progressive<tiny::casnet>>(tiny::recipe(), 2);
  same_when_captured<c2f::systems::casnet_hardest<tiny::casnet>>(tiny::recipe(), 2);
  same_when_captured<attends>(tiny::recipe(), 2);
  same_when_captured<of_doubles>(tiny::recipe(), 2);
  same_when_captured<attends>(tiny::recipe().clip(0).bf16(), 2);
  same_when_captured<c2f::systems::coarse2fine_zoom<attends>>(tiny::recipe(), 2);
  if (tests::on_gpu()) same_when_captured<drops>(tiny::recipe(), 2);  // with a kernel
  same_when_captured<tiny::class_vector>(tiny::recipe().adam({.decoupled = true}), 2);
  for (auto const& recipe : {tiny::recipe().accumulate(1).ema(0), tiny::recipe().clip(0).bf16()}) {
    same_when_captured<tiny::class_vector>(recipe, 2);
    same_when_captured<nested>(recipe, 2);
  }
}

TEST_CASE("a step that needs the host is not captured, and the report says why") {
  C2F_NEEDS_DEVICE();
  same_when_captured<tiny::dense>(tiny::recipe(), 0);
  same_when_captured<corrupted>(tiny::recipe(), 1);
  same_when_captured<late>(tiny::recipe(), 1);

  c2f::stack<tiny::dense> cropping(1);
  REQUIRE(c2f::fit(cropping, tiny::data_of<tiny::dense>(), tests::captured(tiny::recipe())).not_captured ==
          "c2f::fuse::crop, which looks for its boxes on the host");
  REQUIRE(c2f::fit(cropping, tiny::data_of<tiny::dense>(), tests::uncaptured(tiny::recipe())).not_captured.empty());

  if (tests::on_gpu()) return;
  same_when_captured<drops>(tiny::recipe(), 1);  // its evaluation
  c2f::stack<drops> model(1);
  auto const recipe = tests::captured(tiny::recipe().accumulate(1));
  c2f::training_step<drops> step(model, recipe);
  for (auto const& batch : c2f::data::loader{tiny::data_of<drops>().train, {.batch = 4}}.epoch(0))
    step.queue({batch}, {.t = 0.5, .learning_rate = 0.1}), step.next();
  REQUIRE(!step.captured());
  REQUIRE(step.why_not_captured() == "a random choice made on the host");
}

TEST_CASE("fine-tuning is captured like any training") {
  C2F_NEEDS_DEVICE();
  // On the host in pageable memory, as user code has them; the last of three batches is smaller.
  c2f::random_stream draw(1, c2f::purpose::synthesis, 0, 0);
  at::Tensor const images = at::empty({11, 3, 8, 8});
  for (std::int64_t i = 0; i < images.numel(); ++i) images.mutable_data_ptr<float>()[i] = static_cast<float>(draw.normal());
  at::Tensor const truth = at::tensor({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1}, at::kLong);
  auto const tuned       = [&](c2f::recipe::settings const& recipe) {
    c2f::stack<tiny::class_vector> model(1);
    c2f::fine_tune(model, images, truth, recipe);
    auto all = tiny::tensors_of(model);
    std::erase_if(all, [](at::Tensor const& each) { return !each.is_floating_point(); });
    return all;
  };
  auto const recipe   = tiny::recipe().accumulate(1).batch(4).epochs(6);
  auto const run      = tuned(tests::captured_as_call(recipe));
  tests::captures     = 0;
  auto const captured = tuned(tests::captured(recipe));
  REQUIRE(tests::captures == 1);
  REQUIRE(tiny::same_bytes(run, captured));
}

TEST_CASE("steps are queued ahead and reported in order; counting continues after a skipped step") {
  C2F_NEEDS_DEVICE();
  c2f::stack<tiny::class_vector> model(1);
  c2f::move_to(model, tests::device());
  auto const recipe = tests::uncaptured(tiny::recipe().accumulate(1).clip(0));
  c2f::training_step<tiny::class_vector> step(model, recipe);
  REQUIRE(!step.next());
  std::int64_t queued = 0, reported = 0;
  c2f::data::loader const batches{tiny::data_of<tiny::class_vector>().train, {.batch = 4}};
  for (auto const& batch : batches.epoch(0)) {
    at::Tensor const before = c2f::parameters(model)[0].detach().clone();
    c2f::data::batch given  = batch;
    if (queued == 2) given.images = batch.images.mul(std::numeric_limits<double>::infinity());
    step.queue({given}, {.step = queued, .iteration = queued, .t = 0.5, .learning_rate = 0.1});
    REQUIRE(tiny::same_bytes(before, c2f::parameters(model)[0]) == (queued == 2));
    ++queued;
    if (!step.full() && queued < batches.batches()) continue;
    while (auto const done = step.next(true)) {
      REQUIRE(done->step == reported);
      REQUIRE(done->losses.size() == 2);
      REQUIRE(done->skipped == (reported == 2));
      ++reported;
    }
  }
  REQUIRE(reported == queued);
  REQUIRE(!step.pending());
  std::int64_t calls = 0;
  c2f::for_each_tensor(model, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.on_host) calls = each.tensor().item<std::int64_t>();
  });
  REQUIRE(calls == queued - 1);
}

TEST_CASE("a clipped step moves the parameters by learning rate times the clipped norm, others by their gradient") {
  C2F_NEEDS_DEVICE();
  auto const moved = [](double clip) {
    c2f::stack<tiny::class_vector> model(1);
    c2f::move_to(model, tests::device());
    auto const recipe = tests::uncaptured(tiny::recipe().accumulate(1).ema(0).momentum(0).weight_decay(0).clip(clip));
    c2f::training_step<tiny::class_vector> step(model, recipe);
    at::Tensor const before = step.optimizer().parameters().numbers().clone();
    step.queue({*c2f::data::loader{tiny::data_of<tiny::class_vector>().train, {.batch = 4}}.epoch(0).next()},
               {.t = 0.5, .learning_rate = 0.1});
    return step.optimizer().parameters().numbers().sub(before).norm().item<double>();
  };
  double const whole = moved(0);
  REQUIRE(whole > 0.01);
  REQUIRE(moved(0.01) == Approx(0.001).epsilon(1e-3));
  REQUIRE(moved(1e6) == Approx(whole));
}

TEST_CASE("the optimiser's bfloat16 copies follow the parameters, and are removed from the model with the step") {
  C2F_NEEDS_DEVICE();
  c2f::stack<tiny::class_vector> model(1);
  c2f::move_to(model, tests::device());
  auto const recipe = tests::uncaptured(tiny::recipe().accumulate(1).ema(0).bf16());
  {
    c2f::training_step<tiny::class_vector> step(model, recipe);
    for (auto const& batch : c2f::data::loader{tiny::data_of<tiny::class_vector>().train, {.batch = 4}}.epoch(0)) {
      step.queue({batch}, {.t = 0.5, .learning_rate = 0.1});
      step.next();
      c2f::for_each_tensor(model, [](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
        if (traits.trained) REQUIRE(each.bf16_copy().equal(each.tensor().to(at::kBFloat16)));
      });
    }
  }
  c2f::for_each_tensor(
      model, [](std::string const&, c2f::state_tensor const& each, c2f::state_traits const&) { REQUIRE(!each.bf16_copy().defined()); });
}

TEST_CASE("flat: the parameters are views of one buffer, each with its own memory format and version counter") {
  C2F_NEEDS_DEVICE();
  c2f::stack<tiny::class_vector> model(1);
  c2f::move_to(model, tests::device());
  c2f::to_channels_last(model);
  std::vector<at::Tensor> before;
  c2f::for_each_tensor(model, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained) before.push_back(each.tensor().detach().clone());
  });
  c2f::flat const block(model, [](c2f::state_traits const& each) { return each.trained; });
  REQUIRE(block.pieces().size() == before.size());
  std::size_t i = 0;
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (!traits.trained) return;
    auto const& piece = block.pieces()[i];
    REQUIRE(piece.path == path);
    REQUIRE(piece.begin % 64 == 0);
    REQUIRE(each.tensor().is_same(piece.view));
    REQUIRE(each.tensor().equal(before[i]));
    REQUIRE(each.tensor().strides() == before[i].strides());
    REQUIRE(each.tensor().requires_grad());
    REQUIRE(each.tensor().const_data_ptr<float>() == block.numbers().const_data_ptr<float>() + piece.begin);
    ++i;
  });
  auto const version = block.pieces()[0].view._version();
  block.numbers().fill_(2);
  REQUIRE(block.pieces()[0].view.eq(2).all().item<bool>());
  REQUIRE(block.pieces()[0].view._version() == version);
}
