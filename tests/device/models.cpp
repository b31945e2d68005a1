// Models that are no pair of networks: a plain network, two views, a stack with side outputs; and networks that recompute their activations
// in the backward pass. Each trains through fit, is resumed bit for
// bit, and gives the same bytes when its steps and passes are captured.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/gunn.hpp>
#include <c2f/train/checkpoint.hpp>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using kind    = c2f::class_vector<3>;
using input   = c2f::image<3, 8, 8>;
using network = c2f::predicts<kind, tiny::layers, c2f::global_average_pool, c2f::linear<3>>;
using data    = tiny::dataset<kind, 8>;

struct plain {
  static constexpr char const* name = "plain";
  using input                       = ::input;
  using kind                        = ::kind;
  c2f::network_on<network, input> net;
  C2F_MEMBERS(net);
  explicit plain(std::uint64_t seed = 0) { c2f::initialize(*this, seed); }
  at::Tensor operator()(at::Tensor const& images, c2f::pass& p) const {
    at::Tensor raw = net(images, p.mode);
    if (p.training()) p.add("loss", kind::default_loss::of(raw, p.truth));
    return raw;
  }
};

/// Two networks that learn from the truth and, with a weight of t, from each other; in training each sees its own noise.
struct two_views {
  static constexpr char const* name   = "two views";
  static constexpr c2f::purpose noise = c2f::user_purpose(3);
  using input                         = ::input;
  using kind                          = ::kind;
  using schedule                      = c2f::schedule::ramp<0.0, 0.8, c2f::by::fraction>;
  c2f::network_on<network, input> one, two;
  C2F_MEMBERS(one, two);
  explicit two_views(std::uint64_t seed = 0) { c2f::initialize(*this, seed); }
  at::Tensor operator()(at::Tensor const& images, c2f::pass& p) const {
    at::Tensor const a = one(seen(images, p, 0), p.mode), b = two(seen(images, p, 1), p.mode);
    if (p.training()) {
      p.add("view1", kind::default_loss::of(a, p.truth));
      p.add("view2", kind::default_loss::of(b, p.truth));
      p.add("agree", p.times_t(a.to(at::kFloat).softmax(1).sub(b.to(at::kFloat).softmax(1)).square().sum(1).mean()));
    } else {
      p.add_scored_output("view1", a);
      p.add_scored_output("view2", b);
    }
    return kind::predict(a).add(kind::predict(b)).mul(0.5).log();
  }

 private:
  static at::Tensor seen(at::Tensor const& images, c2f::pass& p, std::int64_t view) {
    if (!p.training()) return images;
    at::Tensor const drawn = p.uniform(noise, images, 6).narrow(1, 3 * view, 3);  // a number for each sample and channel
    return images.add(drawn.view({-1, 3, 1, 1}).to(images.scalar_type()));
  }
};

static_assert(c2f::model<plain> && c2f::model<two_views> && !c2f::model<tiny::class_vector>);

/// A network that leaves the map it pools by, and an encoder that makes z of it.
struct looks {
  using kind = ::kind;
  template <c2f::shape In>
  struct on {
    using features = c2f::network_on<tiny::layers, In>;
    using output   = c2f::vector<3>;
    features layers;
    c2f::network_on<c2f::conv<1, 1, 1, 0>, typename features::output> attention;
    c2f::network_on<c2f::linear<3>, c2f::vector<4>> fc;
    C2F_MEMBERS(layers, attention, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::pass& p) const {
      at::Tensor const f = layers(x, p.mode), where = attention(f, p.mode).sigmoid();
      p.add_output("attention", where);
      return fc(f.mul(where).mean(at::IntArrayRef({2, 3})), p.mode);
    }
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      c2f::pass p{.mode = m};
      return (*this)(x, p);
    }
  };
};
struct by_attention {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = c2f::with_channels<Like, 1>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const&, at::Tensor const& x, c2f::pass& p) const {
      at::Tensor const seen = p.output("coarse.attention");
      REQUIRE(seen.defined());
      at::Tensor z = seen.view({-1, 1, 4, 1, 4, 1}).expand({-1, 1, 4, 2, 4, 2}).reshape({x.size(0), 1, 8, 8});  // each pixel twice
      p.add_output("mask", z);
      return z;
    }
  };
};
struct attends {
  static constexpr char const* name = "attends";
  using input                       = ::input;
  using network                     = looks;
  using encoder                     = by_attention;
  using fuse                        = c2f::fuse::multiply;
  using source                      = c2f::source::prediction;
  using schedule                    = c2f::schedule::always_prediction;
  using combine                     = c2f::combine::average;
};
static_assert(c2f::task<attends>);

/// Coarse and fine network compute the units of a gradually updated layer again in the backward pass; groups and units of 8 channels have
/// fused norms.
template <class Activations>
using updated = c2f::gunn_stage<16, 2, 1, c2f::gunn_unit<1, 1, c2f::shortcut::per_unit>, c2f::update::gradual, Activations>;
struct updates {
  static constexpr char const* name = "updates";
  using input                       = ::input;
  using network = c2f::predicts<kind, tiny::layers, updated<c2f::activations::recomputed>, c2f::global_average_pool, c2f::linear<3>>;
};

struct steps {
  std::vector<c2f::step_record> all{};
  void on_step(c2f::step_record const& step) { all.push_back(step); }
};
data samples() { return {{35, 1}, {8, 2}}; }
c2f::recipe::settings recipe() { return tests::variants().back()(tiny::recipe().threads(0)); }

template <class Model>
void resumes() {
  tests::scratch const s;
  Model whole(7);
  tiny::spy end;
  steps seen;
  c2f::fit(whole, samples(), recipe(), end, seen);
  REQUIRE(seen.all.size() == 15);
  for (std::int64_t const at : {1, 7, 10}) {
    auto const folder = s.path / std::to_string(at);
    Model first(7), second(8);
    REQUIRE(c2f::fit(first, samples(), recipe(), c2f::checkpoints(folder), tiny::stops{.at = at}).stopped);
    tiny::spy resumed;
    REQUIRE(c2f::fit(second, samples(), recipe(), c2f::checkpoints(folder), resumed).start.done == at);
    REQUIRE(tiny::same_bytes(end, resumed));
    REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(second)));
  }
}
struct outcome {
  tiny::spy state;
  std::vector<c2f::step_record> steps;
  std::vector<c2f::stage_score> scores;
};
template <class Model>
outcome trained(c2f::recipe::settings const& how) {
  Model model(1);
  outcome found;
  steps seen;
  found.scores = c2f::fit(model, samples(), how, found.state, seen).epochs.back().scores;
  found.steps  = seen.all;
  return found;
}
template <class Model>
void same_when_captured(c2f::recipe::settings const& how) {
  outcome const called = trained<Model>(tests::captured_as_call(how));
  tests::captures      = 0;
  outcome const again  = trained<Model>(tests::captured(how));
  REQUIRE(tests::captures == 2);                // a step and a pass of the evaluation
  auto const numbers = [](outcome const& of) {  // without the counters of norms, which count every replay on the CPU
    std::vector<at::Tensor> all;
    for (auto const& each : of.state.tensors)
      if (each.is_floating_point()) all.push_back(each);
    return all;
  };
  REQUIRE(numbers(called).size() > 5);
  REQUIRE(tiny::same_bytes(numbers(called), numbers(again)));
  REQUIRE(called.steps.size() == again.steps.size());
  for (std::size_t i = 0; i < called.steps.size(); ++i) REQUIRE(called.steps[i].losses == again.steps[i].losses);
}

}  // namespace

TEMPLATE_TEST_CASE("models train through fit and are resumed bit for bit", "", plain, two_views, c2f::stack<attends>, c2f::stack<updates>) {
  C2F_NEEDS_DEVICE();
  resumes<TestType>();
}

TEMPLATE_TEST_CASE("a captured step of a model gives the bytes of one that is not captured", "", plain, two_views, c2f::stack<attends>,
                   c2f::stack<updates>) {
  C2F_NEEDS_DEVICE();
  same_when_captured<TestType>(tiny::recipe());
  same_when_captured<TestType>(tiny::recipe().bf16());
}

TEST_CASE("a plain network is trained as the coarse network of a stack without a fine one") {
  C2F_NEEDS_DEVICE();
  struct alone : tiny::class_vector {
    using refine = c2f::refine::no_fine_network;
  };
  plain model(3);
  c2f::stack<alone> stack(4);
  auto const from = tiny::tensors_of(stack.coarse);
  std::size_t i   = 0;
  c2f::for_each_tensor(model, [&](std::string const&, c2f::state_tensor& each, c2f::state_traits const& traits) {
    each.assign(from[i++].clone().set_requires_grad(traits.trained));
  });
  tiny::spy one, other;
  steps first, second;
  c2f::fit(model, samples(), recipe(), one, first);
  c2f::fit(stack, samples(), recipe(), other, second);
  REQUIRE(first.all.size() == second.all.size());
  for (std::size_t k = 0; k < first.all.size(); ++k) REQUIRE(first.all[k].losses[0].second == second.all[k].losses[0].second);
  REQUIRE(tiny::same_bytes(tiny::tensors_of(model), tiny::tensors_of(stack)));
}

TEST_CASE("scored outputs are stages of the evaluation, and a model without them is scored by its answer") {
  C2F_NEEDS_DEVICE();
  auto const views = trained<two_views>(recipe());
  REQUIRE(views.scores.size() == 2);
  REQUIRE(views.scores[0].stage == "view1");
  REQUIRE(views.scores[1].stage == "view2");
  REQUIRE(views.steps.front().t == 0);
  REQUIRE(views.steps.front().losses[2] == std::pair<std::string, double>("agree", 0));
  REQUIRE(views.steps.back().losses[2].second > 0);
  auto const one = trained<plain>(recipe());
  REQUIRE(one.scores.size() == 1);
  REQUIRE(one.scores[0].stage == "answer");
  REQUIRE(one.steps.back().t == 1);
}

TEST_CASE("random numbers of a purpose are the first of its stream, for any batch") {
  at::Tensor const x = at::zeros({3, 2});
  std::vector<std::int64_t> const ids{9, 4, 7}, part{4, 7};
  c2f::pass all{.seed = 5, .epoch = 2, .ids = ids}, some{.seed = 5, .epoch = 2, .ids = part};
  at::Tensor const drawn = all.uniform(two_views::noise, x, 4), one = all.uniform(two_views::noise, x);
  REQUIRE(drawn.sizes() == at::IntArrayRef({3, 4}));
  REQUIRE(one.sizes() == at::IntArrayRef({3}));
  for (std::size_t i = 0; i < 3; ++i) {
    c2f::random_stream stream(5, two_views::noise, 2, static_cast<std::uint64_t>(ids[i]));
    for (std::int64_t k = 0; k < 4; ++k) REQUIRE(drawn[static_cast<std::int64_t>(i)][k].item<double>() == stream.uniform());
  }
  REQUIRE(drawn.select(1, 0).equal(one));
  REQUIRE(some.uniform(two_views::noise, x.narrow(0, 0, 2), 4).equal(drawn.narrow(0, 1, 2)));
  REQUIRE(drawn.min().item<double>() > 0);
  REQUIRE(drawn.max().item<double>() <= 1);
  REQUIRE(!all.uniform(c2f::user_purpose(4), x, 4).equal(drawn));
}

TEST_CASE("side outputs: names have their stage, and the predictor returns them folded, in bfloat16 and captured") {
  C2F_NEEDS_DEVICE();
  c2f::stack<attends> model(1);
  auto const images = tests::normal({4, 3, 8, 8}, 5);
  auto const both   = model(images.to(at::kCPU), c2f::eval);
  std::vector<std::string> names;
  for (auto const& each : both.side) names.push_back(each.name + (each.scored ? "!" : ""));
  REQUIRE(names == std::vector<std::string>{"coarse.attention", "mask", "fine.attention", "coarse!", "fine!", "answer!"});
  REQUIRE(both.output("answer").is_same(both.answer));
  REQUIRE(!both.output("attention").defined());

  for (bool const bf16 : {false, true}) {
    c2f::predictor predict(model, {.on = tests::capturing_accelerator(), .bf16 = bf16});
    REQUIRE(predict.folded() > 0);
    auto const first = predict(images), second = predict(images.neg());
    REQUIRE(predict.captured_sizes() == 1);
    REQUIRE(first.side.size() == both.side.size());
    for (std::size_t i = 0; i < both.side.size(); ++i) {
      REQUIRE(first.side[i].name == both.side[i].name);
      at::Tensor const found = first.side[i].value.to(at::kCPU, at::kFloat), wanted = both.side[i].value;
      REQUIRE(found.sub(wanted).abs().max().item<float>() < (bf16 ? 0.05f : 1e-3f));
      REQUIRE(!second.side[i].value.equal(first.side[i].value));  // the next pass does not overwrite the first
    }
    REQUIRE(first.output("coarse").is_same(first.coarse));
  }
  plain one(1);
  c2f::predictor answer(one);
  REQUIRE(answer(images.to(at::kCPU)).answer.allclose(one.net(images.to(at::kCPU), c2f::eval), 1e-4, 1e-5));
}

TEST_CASE("a layer that recomputes with fused norms has the values, statistics and gradients of one that keeps its activations") {
  C2F_NEEDS_DEVICE();
  using map = c2f::image<8, 6, 6>;
  at::Tensor const x =
      c2f::detail::sample_numbers({4, 8, 6, 6}, 1).to(at::kFloat).to(tests::device()).contiguous(at::MemoryFormat::ChannelsLast);
  auto const run = [&]<class Activations>() {
    auto net = c2f::make_network<updated<Activations>, map>(1);
    c2f::move_to(net, tests::device());
    c2f::to_channels_last(net);
    at::Tensor const read = x.clone().set_requires_grad(true);
    at::Tensor y;
    {
      c2f::with_fused const scope(&c2f::cuda::fused);
      y = net(read, c2f::train);
    }
    y.square().sum().backward();  // outside of the scope, as in another thread
    std::vector<at::Tensor> all{y.detach(), read.grad()};
    for (auto const& each : c2f::parameters(net)) all.push_back(each.grad());
    for (auto const& each : tiny::tensors_of(net)) all.push_back(each);
    return all;
  };
  auto const a = run.operator()<c2f::activations::recomputed>(), b = run.operator()<c2f::activations::kept>();
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].defined());
    double const scale = std::max(1.0, b[i].to(at::kDouble).abs().max().item<double>());
    REQUIRE(a[i].to(at::kDouble).sub(b[i].to(at::kDouble)).abs().max().item<double>() <= 1e-5 * scale);
  }
}
