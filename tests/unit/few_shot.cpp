// Few-shot classification: dropout, frozen networks, the growing classifier alone and in a stack, and fine-tuning.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/layers/attention_pooling.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/layers/frozen.hpp>
#include <c2f/networks/feature_pyramid.hpp>
#include <c2f/networks/staged.hpp>
#include <c2f/parts/encode_attention.hpp>
#include <c2f/systems/dynamic_few_shot.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/fine_tune.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace few = c2f::dynamic_few_shot;

using input    = c2f::image<3, 12, 12>;
using features = c2f::sequential<c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::global_average_pool>;

struct growing {
  static constexpr char const* name = "growing";
  using input                       = ::input;
  using network                     = few::network<features, 6, 3>;
};
at::Tensor numbers(std::vector<std::int64_t> dims, std::uint64_t seed) {
  return c2f::detail::sample_numbers(dims, static_cast<int>(seed)).to(at::kFloat);
}
at::Tensor whole(std::vector<std::int64_t> const& values) {
  at::Tensor made = at::ones({static_cast<std::int64_t>(values.size())}, at::TensorOptions(at::kLong));
  std::copy(values.begin(), values.end(), made.mutable_data_ptr<std::int64_t>());
  return made;
}

template <class Net>
std::vector<at::Tensor> tensors_of(Net const& net, std::string const& below = "") {
  std::vector<at::Tensor> all;
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
    if (path.find(below) != std::string::npos) all.push_back(each.tensor().detach().clone());
  });
  return all;
}
bool equal(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = a[i].equal(b[i]);
  return same;
}

double largest_probability(at::Tensor const& logits, std::int64_t k) { return logits.softmax(1).select(1, k).max().item<double>(); }

}  // namespace

TEST_CASE("dropout keeps the mean, drops its fraction, and depends on seed, epoch, sample and position in the network alone") {
  auto const net     = c2f::make_network<c2f::dropout<0.25>, c2f::vector<4000>>();
  at::Tensor const x = at::ones({3, 4000});
  std::vector<std::int64_t> const ids{5, 9, 2}, other_order{2, 5, 9};
  auto const dropped = [&](std::vector<std::int64_t> const& samples, std::uint64_t epoch, int before) {
    c2f::pass p{.mode = c2f::train, .seed = 1, .epoch = epoch, .ids = samples};
    for (int i = 0; i < before; ++i) net(x, p);
    return net(x, p);
  };
  at::Tensor const once = dropped(ids, 3, 0);
  REQUIRE(once.eq(0).to(at::kFloat).mean().item<double>() == Approx(0.25).margin(0.02));
  REQUIRE(once.mean().item<double>() == Approx(1).margin(0.03));
  REQUIRE(once.max().item<double>() == Approx(4.0 / 3));
  REQUIRE(once.equal(dropped(ids, 3, 0)));
  REQUIRE(once.select(0, 0).equal(dropped(other_order, 3, 0).select(0, 1)));
  REQUIRE_FALSE(once.equal(dropped(ids, 4, 0)));
  REQUIRE_FALSE(once.equal(dropped(ids, 3, 1)));
  REQUIRE(net(x, c2f::eval).is_same(x));
  REQUIRE_THROWS_AS(net(x, c2f::train), c2f::error);
}

TEST_CASE("a nested dropout gets the pass of the stack") {
  using inner = c2f::sequential<c2f::conv<8, 3>, c2f::dropout<0.5>>;
  struct task {
    using input   = ::input;
    using network = c2f::predicts<c2f::class_vector<4>, c2f::conv<3, 3>,
                                  c2f::residual<c2f::repeat<2, c2f::sequential<c2f::conv<3, 3>, c2f::dropout<0.5>>>>, inner,
                                  c2f::global_average_pool, c2f::linear<4>>;
  };
  c2f::stack<task> const model(1);
  at::Tensor const x = numbers({4, 3, 12, 12}, 1), truth = whole({0, 1, 2, 3});
  auto const fine_at = [&](std::uint64_t epoch) {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = 1, .seed = 2, .epoch = epoch};
    at::Tensor const fine = model(x, p).fine;
    REQUIRE(p.drops == 6);  // three in each network
    return fine;
  };
  REQUIRE(fine_at(1).equal(fine_at(1)));
  REQUIRE_FALSE(fine_at(1).equal(fine_at(2)));
}

TEST_CASE("a frozen network runs in inference mode, updates no statistics, and passes gradients to its input") {
  using open_net   = c2f::network_on<features, input>;
  using frozen_net = c2f::network_on<c2f::frozen<features>, input>;
  static_assert(c2f::parameter_count<open_net> == 8 * 27 + 16 && c2f::parameter_count<frozen_net> == 0);
  open_net open;
  frozen_net frozen;
  c2f::initialize(open, 3);
  c2f::initialize(frozen, 3);
  REQUIRE(equal(tensors_of(open), tensors_of(frozen)));  // the same paths, so the same values
  REQUIRE(c2f::parameters(frozen).empty());
  REQUIRE(c2f::count_parameters(frozen) == 0);

  at::Tensor const x = numbers({5, 3, 12, 12}, 1).requires_grad_();
  auto const before  = tensors_of(frozen);
  at::Tensor const y = frozen(x, c2f::train);
  REQUIRE(y.equal(open(x, c2f::eval)));
  y.sum().backward();
  REQUIRE(x.grad().abs().sum().item<double>() > 0);
  REQUIRE(equal(before, tensors_of(frozen)));
  auto const copy = frozen;
  REQUIRE(equal(before, tensors_of(copy)));
  REQUIRE(c2f::parameters(copy).empty());
}

TEST_CASE("what is frozen is not among the statistics that a pass changes") {
  using layers = c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm>;
  auto net     = c2f::make_network<c2f::sequential<c2f::frozen<layers>, layers>, input>(1);
  c2f::detail::forward_state state{c2f::any_network(net)};
  std::vector<std::string> paths;
  for (auto const& piece : state.statistics().pieces()) paths.push_back(piece.path);
  REQUIRE(paths == std::vector<std::string>{"1.1.running_mean", "1.1.running_var"});
  REQUIRE(state.tensors().size() == 1 + state.counters().size());
}

TEST_CASE("a moving average of a model with a frozen part keeps that part") {
  struct task : tiny::class_vector {
    using network = c2f::predicts<kind, c2f::frozen<tiny::layers>, tiny::layers, c2f::global_average_pool, c2f::linear<3>>;
  };
  c2f::stack<task> model(7);
  auto const before = tensors_of(model.coarse);
  c2f::fit(model, tiny::data_of<task>(), tiny::recipe());
  auto const after = tensors_of(model.coarse);
  // A convolution and a norm are frozen: weight, weight and bias of the norm, running mean and variance, and number of calls.
  std::size_t same = 0;
  for (std::size_t i = 0; i < before.size(); ++i) same += before[i].equal(after[i]);
  REQUIRE(same == 6);
}

namespace {
struct two_stages {
  static constexpr char const* name = "two stages";
  using input                       = ::input;
  using network                     = c2f::predicts<c2f::class_vector<4>, features, c2f::linear<4>>;
};
struct on_frozen_stack {
  static constexpr char const* name = "on a frozen stack";
  using input                       = ::input;
  using network                     = c2f::coarse_fine<c2f::frozen<c2f::stack<two_stages>>, two_stages::network>;
};
struct on_frozen_backbone {
  static constexpr char const* name = "on a frozen backbone";
  using input                       = c2f::image<3, 16, 16>;
  using share                       = c2f::share::backbone<c2f::frozen<c2f::sequential<c2f::conv<8, 3>, c2f::attention_pooling<2>>>>;
  using network                     = c2f::predicts<c2f::class_vector<4>, c2f::linear<4>>;
  using encoder                     = c2f::encode::attention<c2f::identity>;
  using fuse                        = c2f::fuse::multiply;
};
}  // namespace

TEST_CASE("what is frozen may be a stack, a pyramid, or a network with side outputs") {
  at::Tensor const truth = whole({0, 1, 2, 3});
  c2f::stack<on_frozen_stack> const stages(1);
  c2f::pass p{.mode = c2f::train, .truth = truth, .t = 1, .seed = 2};
  auto const both = stages(numbers({4, 3, 12, 12}, 1), p);
  REQUIRE(both.coarse.equal(stages.coarse(numbers({4, 3, 12, 12}, 1), c2f::eval).answer));
  REQUIRE(p.mode == c2f::train);
  REQUIRE(p.losses.size() == 2);  // that of its answer, and the fine one
  REQUIRE((p.losses[0].name == "coarse" && p.losses[1].name == "fine"));
  p.loss().backward();
  for (auto const& each : c2f::parameters(stages)) REQUIRE(each.grad().defined());

  c2f::stack<on_frozen_backbone> const attended(1);
  c2f::pass q{.mode = c2f::train, .truth = truth, .t = 1, .seed = 2};
  attended(numbers({4, 3, 16, 16}, 1), q);
  REQUIRE(q.output("coarse.attention").size(1) == 2);
  REQUIRE(c2f::parameters(attended.share).empty());

  using pyramid      = c2f::pyramid_on<c2f::resnet_stages<18>, c2f::fpn<8>>;
  auto const levels  = c2f::make_network<c2f::frozen<pyramid>, c2f::image<3, 64, 64>>(1),
             same    = c2f::make_network<c2f::frozen<pyramid>, c2f::image<3, 64, 64>>(1);
  at::Tensor const x = numbers({1, 3, 64, 64}, 1);
  auto const frozen = levels(x, c2f::train), open = c2f::make_network<pyramid, c2f::image<3, 64, 64>>(1)(x, c2f::eval);
  for (std::size_t i = 0; i < frozen.size(); ++i) REQUIRE(frozen[i].equal(open[i]));
}

TEST_CASE("a stack trains its fine network while the coarse one is frozen") {
  using small = c2f::predicts<c2f::class_vector<8>, features, c2f::linear<8>>;
  struct task {
    using input   = c2f::image<3, 32, 32>;
    using network = c2f::coarse_fine<c2f::frozen<small>, small>;
  };
  c2f::stack<task> model(1);
  auto const coarse = tensors_of(model, "coarse."), fine = tensors_of(model, "fine.");
  REQUIRE(coarse.size() == fine.size());
  c2f::fit(model, c2f::data::glyphs<8>({.train = 64, .test = 16, .seed = 1}),
           c2f::recipe::settings{}.epochs(1).batch(32).learning_rate(0.05));
  REQUIRE(equal(coarse, tensors_of(model, "coarse.")));
  REQUIRE_FALSE(equal(fine, tensors_of(model, "fine.")));
}

TEST_CASE("a growing classifier predicts new classes after adaptation, and masks the rows of pseudo-novel classes") {
  c2f::stack<growing> model(1);
  at::Tensor const x = numbers({7, 3, 12, 12}, 1), support = numbers({4, 3, 12, 12}, 2);
  at::NoGradGuard const no_gradients;
  for (std::int64_t k : {6, 7, 8}) REQUIRE(largest_probability(model(x, c2f::eval).answer, k) == 0);

  c2f::pass p;
  few::adapt(model, support, whole({0, 2, 0, 2}), p);  // none of class 1
  auto const both = model(x, c2f::eval);
  for (at::Tensor const& logits : {both.coarse, both.fine}) {
    REQUIRE(largest_probability(logits, 6) > 0);
    REQUIRE(largest_probability(logits, 7) == 0);
    REQUIRE(largest_probability(logits, 8) > 0);
    REQUIRE(largest_probability(logits, 0) > 0);
  }
  // The row of a class depends on its samples alone, in any order.
  c2f::stack<growing> other = model;
  few::adapt(other, support.index_select(0, whole({2, 1, 0, 3})), whole({0, 2, 0, 2}), p);
  REQUIRE(at::allclose(other.coarse.classifier.new_rows.tensor(), model.coarse.classifier.new_rows.tensor(), 1e-5, 1e-6));

  few::adapt(model, support, whole({0, 1, 2, 0}), p, whole({5, 1}));
  at::Tensor const logits = model(x, c2f::eval).coarse;
  for (std::int64_t k : {1, 5}) REQUIRE(largest_probability(logits, k) == 0);
  for (std::int64_t k : {0, 2, 3, 4, 6, 7, 8}) REQUIRE(largest_probability(logits, k) > 0);
  REQUIRE(tests::has(tests::refusal([&] { few::adapt(model, support, whole({0, 1, 2, 3}), p); }), "0 to 2"));
  for (at::Tensor const& labels : {whole({0, 1, 2}), whole({0, 1, 2, 0, 1})})
    REQUIRE(tests::has(tests::refusal([&] { few::adapt(model, support, labels, p); }), "one for each of 4 images"));
}

namespace {
c2f::data::episode_options const of_three{.way = 3, .shot = 2, .queries = 3, .seed = 1};
struct on_glyphs {
  static constexpr char const* name = "on glyphs";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = few::network<c2f::frozen<features>, 8, 3>;
};
struct steps_seen {
  std::vector<c2f::step_record> all{};
  void on_step(c2f::step_record const& step) { all.push_back(step); }
};
c2f::data::glyphs<8> const& glyphs() {
  static c2f::data::glyphs<8> const data({.train = 240, .test = 16, .seed = 1});
  return data;
}
auto episodes_of_glyphs(few::episodic<on_glyphs> const& model, std::int64_t episodes) {
  return few::episodes_for(model, glyphs().train, glyphs().test, episodes);
}
}  // namespace

TEST_CASE("a batch of episodes is support, queries of its classes, and as many of others") {
  c2f::data::episodes const drawn(glyphs().train, of_three);
  c2f::data::episode_batches const batches(glyphs().train, of_three, 5);
  REQUIRE(batches.rows() == 3 * 2 + 2 * 3 * 3);
  c2f::data::loader const loader{batches, {.batch = 24, .seed = 9}};
  REQUIRE(loader.batches() == 5);
  std::int64_t number = 10;  // of epoch 2
  for (auto const& batch : loader.epoch(2)) {
    auto const episode           = drawn.at(number++);
    std::int64_t const* truth    = batch.truth.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> in = episode.support;
    in.insert(in.end(), episode.query.begin(), episode.query.end());
    for (std::size_t i = 0; i < 24; ++i) {
      std::int64_t const sample = batch.ids[i] % batches.size();
      REQUIRE(truth[i] == glyphs().train.label(sample));
      if (i < in.size())
        REQUIRE(sample == in[i]);
      else
        REQUIRE(std::count(episode.classes.begin(), episode.classes.end(), truth[i]) == 0);
    }
  }
  REQUIRE(number == 15);
  std::vector<std::int64_t> ids = batches.order(1, 0, 24);
  std::sort(ids.begin(), ids.end());
  REQUIRE(std::adjacent_find(ids.begin(), ids.end()) == ids.end());  // repetitions in an epoch have ids of their own
  REQUIRE(tests::refusal([&] { (void)c2f::data::loader{batches, {.batch = 32}}.batches(); }) ==
          "an episode has 24 samples, so a batch must have as many, found 32; write .batch(24)");
}

TEST_CASE("the losses of an episode are those of a stack to which its classes were added") {
  few::episodic<on_glyphs> const model(of_three, 1);
  auto const data = episodes_of_glyphs(model, 3);
  for (auto const& batch : c2f::data::loader{data.train, {.batch = 24}}.epoch(1)) {
    c2f::pass p{.mode = c2f::train, .truth = batch.truth, .t = 0.5, .seed = 4, .epoch = 1, .ids = batch.ids};
    model(batch.images, p);

    c2f::stack<on_glyphs> grown = model;
    std::span<std::int64_t const> const ids(batch.ids);
    at::Tensor const classes = batch.truth.narrow(0, 0, 6).index_select(0, whole({0, 2, 4}));
    c2f::pass support{.mode = c2f::train, .t = 0.5, .seed = 4, .epoch = 1, .ids = ids.subspan(0, 6)};
    few::adapt(grown, batch.images.narrow(0, 0, 6), whole({0, 0, 1, 1, 2, 2}), support, classes);
    at::Tensor truth = batch.truth.narrow(0, 6, 18).clone();
    for (std::int64_t i = 0; i < 3; ++i) truth.narrow(0, 3 * i, 3).fill_(8 + i);
    c2f::pass queries{.mode = c2f::train, .truth = truth, .t = 0.5, .seed = 4, .epoch = 1, .ids = ids.subspan(6)};
    grown(batch.images.narrow(0, 6, 18), queries);
    REQUIRE(p.losses.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      REQUIRE(p.losses[i].name == queries.losses[i].name);
      REQUIRE(p.losses[i].value.equal(queries.losses[i].value));
    }
  }
}

TEST_CASE("the recipe applies to the training of generators, and an episode whose loss is not finite is skipped") {
  auto const plain   = c2f::recipe::settings{}.epochs(2).batch(24).learning_rate(0.05).seed(3);
  auto const learned = [&](c2f::recipe::settings const& recipe, std::size_t steps) {
    few::episodic<on_glyphs> model(of_three, 1);
    steps_seen seen;
    c2f::fit(model, episodes_of_glyphs(model, 6), recipe, seen);
    REQUIRE(seen.all.size() == steps);
    for (auto const& step : seen.all) REQUIRE_FALSE(step.skipped);
    return tensors_of(model, ".generator.");
  };
  auto const usual = learned(plain, 12);
  REQUIRE(equal(usual, learned(plain, 12)));
  for (auto const& other : {c2f::recipe::settings(plain).adam({}), c2f::recipe::settings(plain).clip(1e-3),
                            c2f::recipe::settings(plain).ema(0.9), c2f::recipe::settings(plain).bf16()})
    REQUIRE_FALSE(equal(usual, learned(other, 12)));
  REQUIRE_FALSE(equal(usual, learned(c2f::recipe::settings(plain).accumulate(4), 4)));  // steps of 4 and of 2 episodes, in two epochs

  few::episodic<on_glyphs> model(of_three, 1);
  c2f::for_each_tensor(model, [](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
    if (path == "fine.classifier.scale") each.tensor().detach().fill_(std::numeric_limits<float>::quiet_NaN());
  });
  auto const before = tensors_of(model, ".generator.");
  steps_seen seen;
  auto const why = tests::refusal<c2f::not_finite>(
      [&] { c2f::fit(model, episodes_of_glyphs(model, 6), c2f::recipe::settings(plain).stop_after_skips(3), seen); });
  REQUIRE(tests::has(why, "'fine.classifier.scale'"));
  REQUIRE(seen.all.size() == 2);  // the third one ends the training
  REQUIRE(equal(before, tensors_of(model, ".generator.")));
}

TEST_CASE("a training on episodes is resumed bit for bit") {
  auto const recipe = c2f::recipe::settings{}.epochs(2).batch(24).learning_rate(0.05).ema(0.9);
  few::episodic<on_glyphs> whole_run(of_three, 1);
  c2f::fit(whole_run, episodes_of_glyphs(whole_run, 5), recipe);
  for (std::int64_t const at : {2, 5, 7}) {
    tests::scratch const s;
    few::episodic<on_glyphs> first(of_three, 1), second(of_three, 2);
    REQUIRE(c2f::fit(first, episodes_of_glyphs(first, 5), recipe, c2f::checkpoints(s.path), tiny::stops{.at = at}).stopped);
    REQUIRE(c2f::fit(second, episodes_of_glyphs(second, 5), recipe, c2f::checkpoints(s.path)).start.done == at);
    REQUIRE(equal(tensors_of(whole_run), tensors_of(second)));
  }
}

TEST_CASE("an average generator with factors of 1 makes prototypes: the nearest mean direction wins") {
  using net_type = few::network<features, 6, 3, c2f::weight_generator::average>;
  auto net       = c2f::make_network<net_type, input>(1);
  at::NoGradGuard const no_gradients;
  at::Tensor const support = numbers({6, 3, 12, 12}, 2), query = numbers({9, 3, 12, 12}, 3);
  c2f::pass p;
  net.adapt(support, whole({0, 0, 1, 1, 2, 2}), {}, p);
  auto const unit          = [](at::Tensor const& rows) { return rows.div(rows.norm(2, {1}, true)); };
  at::Tensor const z       = unit(net.features(support, c2f::eval));
  at::Tensor const means   = unit(z.view({3, 2, 8}).mean({1}));
  at::Tensor const cosines = unit(net.features(query, c2f::eval)).matmul(means.t()).mul(10);
  REQUIRE(at::allclose(net(query, c2f::eval).slice(1, 6), cosines, 1e-4, 1e-4));
}

TEST_CASE("generators learn on episodes while frozen features are unchanged") {
  few::episodic<on_glyphs> model(of_three, 1);
  auto const before = tensors_of(model, ".features.");
  steps_seen seen;
  auto const report = c2f::fit(model, episodes_of_glyphs(model, 20), c2f::recipe::settings{}.epochs(2).batch(24).learning_rate(0.05), seen);
  REQUIRE(seen.all.size() == 40);
  REQUIRE(report.epochs.back().scores.size() == 2);  // of the base classes
  REQUIRE(equal(before, tensors_of(model, ".features.")));
  double first = 0, last = 0;
  for (std::size_t i = 0; i < 8; ++i) first += seen.all[i].losses[1].second, last += seen.all[39 - i].losses[1].second;
  REQUIRE(last < first);

  c2f::data::glyphs<4> const four({.train = 200, .test = 16, .seed = 1});
  REQUIRE(tests::has(tests::refusal([&] { (void)few::episodes_for(model, four.train, four.test, 1); }), "4 classes"));
  struct all_classes_novel {
    using input   = c2f::image<3, 32, 32>;
    using network = few::network<c2f::frozen<features>, 4, 4>;
  };
  few::episodic<all_classes_novel> none_left({.way = 4, .shot = 2, .queries = 3, .seed = 1}, 1);
  REQUIRE(
      tests::has(tests::refusal([&] { (void)few::episodes_for(none_left, four.train, four.test, 1); }), "leave no other base class of 4"));
}

namespace {

/// Samples as c2f::fit reads them.
struct in_memory {
  at::Tensor images, truth;
  using image                      = ::input;
  using truth_value                = std::int64_t;
  static constexpr auto truth_dims = std::array<std::int64_t, 0>{};
  [[nodiscard]] std::int64_t size() const { return images.size(0); }
  [[nodiscard]] std::string name() const { return "samples in memory"; }
  void read(std::int64_t id, c2f::random_stream*, float* to, std::int64_t* label) const {
    at::Tensor const rows = images.select(0, id).permute({1, 2, 0}).contiguous();
    std::copy_n(rows.const_data_ptr<float>(), rows.numel(), to);
    *label = truth.const_data_ptr<std::int64_t>()[id];
  }
};
struct both_splits {
  in_memory train, test;
};

struct small {
  using input   = ::input;
  using network = c2f::predicts<c2f::class_vector<4>, features, c2f::linear<4>>;
};

}  // namespace

TEST_CASE("fine-tuning gives the same bytes as fit on the same samples, for each option of the recipe") {
  at::Tensor const x = numbers({6, 3, 12, 12}, 1), truth = whole({3, 1, 0, 2, 1, 1});
  auto const plain = c2f::recipe::settings{}.epochs(8).batch(4).learning_rate(0.1).threads(0).seed(3);
  auto const tuned = [&](c2f::recipe::settings const& recipe) {
    c2f::stack<small> model(1);
    c2f::fine_tune(model, x, truth, recipe);
    return tensors_of(model);
  };
  auto const usual = tuned(plain);
  for (auto const& [name, recipe] :
       std::vector<std::pair<std::string, c2f::recipe::settings>>{{"as it is", plain},
                                                                  {"adam", c2f::recipe::settings(plain).adam({})},
                                                                  {"clip", c2f::recipe::settings(plain).clip(0.1)},
                                                                  {"ema", c2f::recipe::settings(plain).ema(0.9)},
                                                                  {"accumulate", c2f::recipe::settings(plain).batch(2).accumulate(2)},
                                                                  {"bf16", c2f::recipe::settings(plain).bf16()},
                                                                  {"contiguous", c2f::recipe::settings(plain).channels_last(false)}}) {
    INFO(name);
    c2f::stack<small> model(1);
    c2f::fit(model, both_splits{{x, truth}, {x, truth}}, recipe);
    auto const found = tuned(recipe);
    REQUIRE(equal(found, tensors_of(model)));
    if (name != "as it is" && name != "contiguous") REQUIRE_FALSE(equal(found, usual));
  }
}

TEST_CASE("fine-tuning learns its samples, with and without a fine network, and is reproducible") {
  using small = c2f::predicts<c2f::class_vector<4>, features, c2f::linear<4>>;
  struct pt {
    using input   = ::input;
    using network = small;
  };
  struct bl : pt {
    using refine = c2f::refine::no_fine_network;
  };
  at::Tensor const x = numbers({4, 3, 12, 12}, 1), truth = whole({3, 1, 0, 2});
  auto const recipe = c2f::recipe::settings{}.epochs(60).learning_rate(0.1);
  c2f::stack<bl> alone(1);
  c2f::fine_tune(alone, x, truth, recipe);
  REQUIRE(alone(x, c2f::eval).answer.argmax(1).equal(truth));
  c2f::stack<pt> one(1), two(1);
  c2f::fine_tune(one, x, truth, recipe);
  c2f::fine_tune(two, x, truth, recipe);
  REQUIRE(equal(tensors_of(one), tensors_of(two)));
  REQUIRE(one(x, c2f::eval).answer.argmax(1).equal(truth));
  c2f::stack<pt> batches(1);
  c2f::fine_tune(batches, x, truth, c2f::recipe::settings(recipe).batch(3));
  REQUIRE(batches(x, c2f::eval).coarse.argmax(1).eq(truth).sum().item<std::int64_t>() >= 3);
  REQUIRE_FALSE(equal(tensors_of(one), tensors_of(batches)));
  REQUIRE_THROWS_AS(c2f::fine_tune(one, x.mul(std::numeric_limits<double>::infinity()), truth, recipe), c2f::not_finite);
  REQUIRE(tests::has(tests::refusal([&] { c2f::fine_tune(one, x, whole({3, 1}), recipe); }), "4 images and 2 truths"));
  REQUIRE(tests::has(tests::refusal([&] { c2f::fine_tune(one, x.narrow(0, 0, 0), truth.narrow(0, 0, 0), recipe); }),
                     "fine_tune was given no samples"));
}
