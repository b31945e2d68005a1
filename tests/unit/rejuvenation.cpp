// Neural rejuvenation as a training: the search for lambda, budgets, and resuming before, at and after a surgery.
#include <c2f/conformance.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/execution/check_widths.hpp>
#include <c2f/inference/model_folder.hpp>
#include <c2f/systems/rejuvenation.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::eval;
using c2f::systems::fit_rejuvenated;
using c2f::systems::rejuvenation_options;

struct task : tiny::class_vector {
  static constexpr char const* name = "tiny-rejuvenation";
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<8, 3>, c2f::batch_norm, c2f::relu,
                                c2f::global_average_pool, c2f::linear<3>>;
};
using model = c2f::stack<task>;

c2f::recipe::settings recipe() {
  return c2f::recipe::settings{}.epochs(3).batch(4).learning_rate(0.05).weight_decay(1e-3).threads(0).quiet();
}
rejuvenation_options options(std::int64_t times = 1) {
  return {.sparse  = recipe().epochs(4),
          .dense   = recipe().epochs(2),
          .target  = 0.75,
          .lambda  = 0.5,
          .times   = times,
          .surgery = {.dead = 0.3, .rescale = true}};
}

/// Stops before step `at` of a whole training, counted over its stages.
struct stops_at {
  std::int64_t at = 0, steps = 0;
  void on_step(c2f::step_record const&) { ++steps; }
  [[nodiscard]] static bool keeps_step(c2f::progress const&) { return true; }
  [[nodiscard]] bool stop() const { return steps == at; }
};
/// What a stage begins with: the sum of all momenta, and Adam's number of updates.
struct begins {
  std::vector<double> momenta{};
  std::vector<std::int64_t> updates{}, steps_before{};
  std::int64_t steps = 0;
  void on_step(c2f::step_record const&) { ++steps; }
  bool restore(c2f::training_state const& state) {
    double sum = 0;
    for (auto const& [name, value] : state.optimizer_state) {
      if (name == "updates")
        updates.push_back(value.item<std::int64_t>());
      else
        sum += value.abs().sum().item<double>();
    }
    momenta.push_back(sum);
    steps_before.push_back(steps);
    return false;
  }
  static void keep(c2f::training_state const&, c2f::moment) {}
};
struct remembers {
  std::vector<c2f::systems::channel_record> seen{};
  std::vector<bool> stopped{};  // of each stage
  void on_end(c2f::training_report const& report) { stopped.push_back(report.stopped); }
  void on_channels(c2f::systems::channel_record const& record) { seen.push_back(record); }
  static void on_start(c2f::training_start const&) {}
};

}  // namespace

TEST_CASE("a training stops before any step and resumes bit for bit, also around its surgeries") {
  auto const data = tiny::data_of<task>();
  for (auto const cross : {c2f::cross_connections::kept, c2f::cross_connections::none}) {
    auto how          = options(2);
    how.surgery.cross = cross;
    model whole(5);
    tiny::spy wanted;
    stops_at counts{.at = -1};
    remembers channels;
    auto const report = fit_rejuvenated(whole, data, how, wanted, counts, channels);
    REQUIRE(!report.stopped);
    REQUIRE(report.reached);
    REQUIRE(channels.stopped == std::vector<bool>{false, false, false});  // a stage at its target is complete
    REQUIRE(report.trainings.size() == 3);
    REQUIRE(report.surgeries.size() == 2);
    REQUIRE(std::ssize(report.trainings[0].epochs) < 4);  // it reached its target
    REQUIRE(report.surgeries[0].utilisation < 0.75);
    REQUIRE(channels.seen.size() == report.trainings[0].epochs.size() + report.trainings[1].epochs.size() + 2);
    std::int64_t const most = counts.steps, skip = cross == c2f::cross_connections::kept ? 2 : 7;
    for (std::int64_t at = 0; at < most; at += skip) {
      tests::scratch const scratch;
      auto const folder = scratch.path / "kept";
      {
        model stopped(5);
        c2f::checkpoints kept(folder, {.every = 1});
        REQUIRE(fit_rejuvenated(stopped, data, how, kept, stops_at{.at = at}).stopped);
      }
      model resumed(5);
      tiny::spy found;
      c2f::checkpoints kept(folder, {.every = 1});
      auto const again = fit_rejuvenated(resumed, data, how, kept, found);
      INFO(at);
      REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(resumed)));
      REQUIRE(tiny::same_bytes(wanted, found));
      REQUIRE(again.surgeries[1].growth == report.surgeries[1].growth);
    }
  }
}

namespace {

/// A rejuvenated model, for what is done with one.
model rejuvenated(c2f::cross_connections cross) {
  model made(5);
  auto how          = options();
  how.surgery.cross = cross;
  fit_rejuvenated(made, tiny::data_of<task>(), how);
  return made;
}
at::Tensor images() { return c2f::detail::two_images({3, 8, 8}, c2f::any_network(*std::make_unique<model>(1))); }

}  // namespace

TEST_CASE("checkpoints, weights and model folders of changed widths load in a model that was just made") {
  auto const data = tiny::data_of<task>();
  for (auto const cross : {c2f::cross_connections::kept, c2f::cross_connections::none, c2f::cross_connections::attention}) {
    tests::scratch const scratch;
    model trained(5);
    auto how          = options();
    how.surgery.cross = cross;
    c2f::checkpoints kept(scratch.path / "kept");
    fit_rejuvenated(trained, data, how, kept);
    auto const file         = kept.newest() / "model.safetensors";
    at::Tensor const wanted = trained(images(), eval).answer;
    model loaded(8);
    c2f::take_sizes(loaded, c2f::data::read_safetensors(file));
    c2f::check_widths(loaded);
    c2f::load_weights(loaded, file);
    REQUIRE(loaded(images(), eval).answer.allclose(wanted, 1e-5, 1e-6));
    c2f::save_weights(trained, scratch.path / "weights.safetensors");
    model again(8);
    c2f::take_sizes(again, c2f::data::read_safetensors(scratch.path / "weights.safetensors"));
    c2f::load_weights(again, scratch.path / "weights.safetensors");
    REQUIRE(again(images(), eval).answer.allclose(wanted, 1e-5, 1e-6));
    c2f::save_model(trained, scratch.path / "model");
    auto const about = c2f::describe_model(scratch.path / "model");
    REQUIRE(about.widths.size() > 5);
    REQUIRE(about.widths.front().first == "coarse.0.weight");
    REQUIRE(about.widths.front().second == c2f::data::read_safetensors(file).tensors.at("coarse.0.weight").sizes().vec());
    auto folder = c2f::load_model<task>(scratch.path / "model");
    REQUIRE(folder(images()).answer.allclose(wanted, 1e-4, 1e-5));
    model averaged = trained;
    c2f::checkpoints averages(scratch.path / "averages");
    c2f::fit(averaged, data, recipe().epochs(1).ema(0.5), averages);
    for (auto const* const name : {"average.safetensors", "model.safetensors"}) {
      model taken(8);
      c2f::take_sizes(taken, c2f::data::read_safetensors(averages.newest() / name));
      REQUIRE(c2f::detail::text_of_blocks(taken) == c2f::detail::text_of_blocks(trained));
      c2f::load_weights(taken, averages.newest() / name);
    }
    // The training goes on, and a network of other blocks is refused.
    model more = trained;
    {
      c2f::checkpoints other(scratch.path / "other");
      c2f::fit(more, data, recipe(), other);
    }
    model next = loaded;
    if (cross != c2f::cross_connections::kept)
      c2f::for_each_tensor(next, [](auto const&, c2f::state_tensor& each, auto const&) { each.clear_blocks(); });
    else
      c2f::for_each_tensor(next, [](std::string const& path, c2f::state_tensor& each, auto const&) {
        if (path == "coarse.3.weight") each.set_blocks({.in = 1, .out = 1, .attention = true});
      });
    c2f::checkpoints same(scratch.path / "other");
    tests::require_message(tests::refusal([&] { c2f::fit(next, data, recipe(), same); }), {"its weights keep other channels apart"});
  }
}

TEST_CASE("channels are kept apart after loading, also in a network of the type's widths") {
  for (bool const attention : {false, true}) {
    tests::scratch const scratch;
    model made(5);
    c2f::for_each_tensor(made, [&](std::string const& path, c2f::state_tensor& each, auto const&) {
      if (path == "coarse.3.weight") each.set_blocks({.in = 3, .out = 5, .attention = attention});
    });
    at::Tensor const wanted = made(images(), eval).answer;
    model plain(5);
    REQUIRE(!plain(images(), eval).answer.allclose(wanted, 1e-4, 1e-5));
    c2f::save_model(made, scratch.path / "model");
    REQUIRE(c2f::describe_model(scratch.path / "model").widths.empty());
    auto folder = c2f::load_model<task>(scratch.path / "model");
    REQUIRE(folder(images()).answer.allclose(wanted, 1e-4, 1e-5));
    auto const file = scratch.path / "weights.safetensors", other = scratch.path / "plain.safetensors";
    c2f::save_weights(made, file);
    c2f::save_weights(plain, other);
    auto const before = tiny::tensors_of(plain);
    tests::require_message(tests::refusal([&] { c2f::load_weights(plain, file); }),
                           {"1 unfit, first 'coarse.3.weight' (it keeps other channels apart in the network"});
    REQUIRE(tiny::same_bytes(before, tiny::tensors_of(plain)));
    tests::require_message(tests::refusal([&] { c2f::load_weights(made, other); }), {"keeps other channels apart"});
    REQUIRE(c2f::load_weights(plain, file, {.partial = true}).unfit == std::vector<std::string>{"coarse.3.weight"});
    model within(6);
    c2f::take_sizes(within, c2f::data::read_safetensors(file));
    c2f::load_weights(within, file);
    REQUIRE(within(images(), eval).answer.equal(wanted));
  }
}

TEST_CASE("sizes that are of no network of the type are refused") {
  tests::scratch const scratch;
  model made = rejuvenated(c2f::cross_connections::none);
  c2f::save_weights(made, scratch.path / "weights");
  auto const file                  = c2f::data::read_safetensors(scratch.path / "weights");
  auto wrong                       = file;
  wrong.tensors["coarse.1.weight"] = at::ones({3});
  model first(1);
  c2f::take_sizes(first, wrong);
  REQUIRE(tests::has(tests::refusal([&] { c2f::check_widths(first); }), "the sizes of the model's tensors do not fit each other: "));
  wrong                            = file;
  wrong.tensors["coarse.0.weight"] = at::ones({8, 3, 5, 5});
  REQUIRE(tests::has(tests::refusal([&] { c2f::take_sizes(first, wrong); }), "widths may differ, and not the size of a kernel"));
  wrong                            = file;
  wrong.tensors["coarse.7.weight"] = at::ones({4, file.tensors.at("coarse.7.weight").size(1)}),
  wrong.tensors["coarse.7.bias"]   = at::ones({4});
  model classes(1);
  c2f::take_sizes(classes, wrong);
  REQUIRE(!tests::refusal([&] { c2f::check_widths(classes); }).empty());
  for (char const* const text :
       {"coarse.9.weight 1 1 0\n", "coarse.3.weight 0 1 0\n", "coarse.3.weight 1 99 0\n", "nonsense\n", "coarse.7.bias 1 1 0\n"}) {
    wrong                            = file;
    wrong.metadata["channel_blocks"] = text;
    model other(1);
    auto const before = tiny::tensors_of(other);
    REQUIRE(tests::has(tests::refusal([&] { c2f::take_sizes(other, wrong); }), "the metadata of the tensors name the channel blocks"));
    REQUIRE(tiny::same_bytes(before, tiny::tensors_of(other)));
  }
}

TEST_CASE("the penalty is lambda times the sum over free norms, and lambda is searched") {
  rejuvenation_options how{.target = 0.5};
  model const made(3);
  c2f::systems::sparse_model<model> sparse(made, how);
  at::Tensor const truth = at::ones({2}, at::kLong);
  auto const losses      = [&] {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0, .seed = 1};
    sparse(images(), p);
    return p.losses;
  };
  REQUIRE_THROWS_AS(losses(), c2f::error);
  sparse.look();
  REQUIRE(losses().back().name == "sparsity");
  REQUIRE(losses().back().value.item<double>() == 0);
  sparse.lambda.tensor().fill_(0.25);
  double sum = 0;
  for (auto const& norm : sparse.graph().norms()) {
    norm.weight->tensor().detach().copy_(c2f::detail::sample_numbers({8}, c2f::hash_of(norm.path)));
    sum += norm.weight->tensor().abs().sum().item<double>();
  }
  REQUIRE(sparse.graph().norms().size() == 4);
  auto const with = losses().back().value;
  REQUIRE(std::abs(with.item<double>() - 0.25 * sum) < 1e-5);
  with.backward();
  for (auto const& norm : sparse.graph().norms()) REQUIRE(norm.weight->tensor().grad().equal(norm.weight->tensor().sign().mul(0.25)));
  // r falls from 1: the search keeps lambda while it falls by more than .01 an epoch, else raises it.
  c2f::systems::sparse_model<model> search(made, how);
  search.look();
  auto const kill = [&](std::int64_t channels) {
    for (auto const& norm : search.graph().norms()) norm.weight->tensor().detach().narrow(0, 0, channels).zero_();
  };
  // A record says the lambda of the epoch that it is of, the buffer that of the next one.
  auto const lambda = [&](std::int64_t epoch) {
    double const used = search.lambda.tensor().item<double>();
    REQUIRE(search.adapt(epoch).lambda == used);
    return search.lambda.tensor().item<double>();
  };
  REQUIRE(std::abs(lambda(1) - 5e-5) < 1e-9);
  REQUIRE(std::abs(lambda(2) - 1e-4) < 1e-9);
  kill(1);
  auto const record = search.adapt(3);
  REQUIRE(std::abs(record.lambda - 1e-4) < 1e-9);
  REQUIRE(search.lambda.tensor().item<double>() == record.lambda);  // r fell
  REQUIRE(record.norms[0].living == 7);
  REQUIRE(record.utilisation < 0.9);
  REQUIRE(std::abs(lambda(4) - 1.5e-4) < 1e-9);  // r stayed
  REQUIRE(!search.reached());
  kill(4);
  search.adapt(5);
  REQUIRE(search.reached());
  rejuvenation_options fixed = how;
  fixed.lambda               = 0.5;
  c2f::systems::sparse_model<model> constant(made, fixed);
  constant.look();
  REQUIRE(constant.adapt(1).lambda == 0.5);
  REQUIRE(constant.fingerprint() != search.fingerprint());
  // A copy is a model of its own.
  auto const copy = search;
  REQUIRE_THROWS_AS(copy.graph(), c2f::error);
}

TEST_CASE("coarse and fine network share one budget") {
  auto how   = options();
  how.budget = 0.9;
  model made(5);
  double const cost = c2f::channels_of(made).cost(c2f::resource::parameters);
  begins stages;
  auto const report = fit_rejuvenated(made, tiny::data_of<task>(), how, stages);
  auto const graph  = c2f::channels_of(made);
  REQUIRE(stages.momenta.size() == 2);
  REQUIRE(stages.momenta[0] == 0);
  REQUIRE(stages.momenta[1] > 0);
  REQUIRE(graph.cost(c2f::resource::parameters) <= 0.9 * cost);
  REQUIRE(report.surgeries[0].budget == 0.9 * cost);
  std::int64_t coarse = 0, fine = 0;
  for (auto const& norm : report.surgeries[0].norms) (norm.path.starts_with("coarse.") ? coarse : fine) += norm.after;
  REQUIRE(coarse > 0);
  REQUIRE(fine > 0);
  // From scratch the last stage begins with initial values in the same widths.
  how.from_scratch = true;
  model scratch(5);
  auto const other = fit_rejuvenated(scratch, tiny::data_of<task>(), how, stages);
  REQUIRE(stages.momenta[3] == 0);
  REQUIRE(c2f::count_parameters(scratch) == c2f::count_parameters(made));
  REQUIRE(!tiny::same_bytes(tiny::tensors_of(scratch), tiny::tensors_of(made)));
  how.equal_epochs = true;
  how.dense.epochs(10);
  model equal(5);
  auto const epochs = fit_rejuvenated(equal, tiny::data_of<task>(), how);
  REQUIRE(epochs.trainings[0].epochs.size() + epochs.trainings[1].epochs.size() == 10);
}

TEST_CASE("a search of lambda that may be too short is remarked, and a target that is missed is reported") {
  auto how = options();
  model made(5);
  c2f::systems::sparse_model<model> const fixed(made, how);
  REQUIRE(fixed.remark(recipe().epochs(1)).empty());
  how.lambda.reset();
  how.lambda_step = 1e-9;
  c2f::systems::sparse_model<model> const search(made, how);
  REQUIRE(search.remark(recipe().epochs(25)).empty());  // (1 - .75) / .01
  REQUIRE(!search.remark(recipe().epochs(24)).empty());
  // The two stages have the epochs of the last one together.
  how.equal_epochs = true;
  how.dense.epochs(3);
  auto const report = fit_rejuvenated(made, tiny::data_of<task>(), how);
  REQUIRE(!report.reached);
  REQUIRE(!report.stopped);
  REQUIRE(report.surgeries[0].utilisation >= 0.75);
  REQUIRE(report.trainings[0].epochs.size() == 2);
  REQUIRE(report.trainings[1].epochs.size() == 1);
  REQUIRE(
      report.trainings[0].start.remarks ==
      std::vector<std::string>{"lambda is searched until the utilisation is below 0.75, which may take 25 epochs and more, and the sparse "
                               "stage has 2; give it more epochs, or a fixed lambda"});
  REQUIRE(report.trainings[1].start.remarks.empty());
}

TEST_CASE("a sparse stage is resumed with the options that it was begun with") {
  model const made(5);
  std::vector<std::uint64_t> hashes;
  for (auto const& change : std::vector<std::function<void(rejuvenation_options&)>>{
           [](auto&) {}, [](auto& how) { how.target = 0.7; }, [](auto& how) { how.budget = 0.9; }, [](auto& how) { how.lambda.reset(); },
           [](auto& how) { how.times = 2; }, [](auto& how) { how.from_scratch = true; }, [](auto& how) { how.surgery.dead = 0.2; },
           [](auto& how) { how.surgery.counted = c2f::resource::multiply_adds; }, [](auto& how) { how.surgery.regrow = false; },
           [](auto& how) { how.surgery.compensate = false; }, [](auto& how) { how.surgery.rescale = false; },
           [](auto& how) { how.surgery.cross = c2f::cross_connections::none; }, [](auto& how) { how.surgery.weight = 0.5; },
           [](auto& how) { how.surgery.multiple = 8; }, [](auto& how) { how.surgery.seed = 9; }}) {
    auto how = options();
    change(how);
    hashes.push_back(c2f::systems::sparse_model<model>(made, how).fingerprint());
  }
  std::sort(hashes.begin(), hashes.end());
  REQUIRE(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
  // Also where the last stage has begun: its widths would be the same.
  tests::scratch const scratch;
  auto const train = [&](bool rescale) {
    auto how            = options();
    how.surgery.rescale = rescale;
    model trained(5);
    fit_rejuvenated(trained, tiny::data_of<task>(), how, c2f::checkpoints(scratch.path));
  };
  train(true);
  tests::require_message(tests::refusal([&] { train(false); }), {"the options of its model, differ"});
}

TEST_CASE("Adam's moments and its number of updates go on in every stage") {
  auto how = options(2);
  how.sparse.adam({}).learning_rate(0.01);
  how.dense.adam({}).learning_rate(0.01);
  model made(5);
  begins stages;
  REQUIRE(fit_rejuvenated(made, tiny::data_of<task>(), how, stages).trainings.size() == 3);
  REQUIRE(stages.updates.size() == 3);
  REQUIRE(stages.updates[1] > 0);
  REQUIRE(stages.updates == stages.steps_before);
  for (std::size_t i = 1; i < 3; ++i) REQUIRE(stages.momenta[i] > 0);
}

TEST_CASE("a rejuvenation out of range is refused before its first step") {
  auto const data = tiny::data_of<task>();
  model made(5);
  auto const before  = tiny::tensors_of(made);
  auto const refused = [&](auto const& change) {
    auto how = options();
    change(how);
    return tests::refusal([&] { fit_rejuvenated(made, data, how); });
  };
  for (auto const& change : std::vector<std::function<void(rejuvenation_options&)>>{
           [](auto& how) { how.target = 0; }, [](auto& how) { how.target = 1.1; }, [](auto& how) { how.budget = 0; },
           [](auto& how) { how.lambda = -1; }, [](auto& how) { how.lambda_step = 0; }, [](auto& how) { how.fall = -1; },
           [](auto& how) { how.times = 0; }})
    REQUIRE(tests::has(refused(change), "a rejuvenation has target"));
  for (auto const& change : std::vector<std::function<void(rejuvenation_options&)>>{
           [](auto& how) { how.surgery.dead = 1; }, [](auto& how) { how.surgery.weight = 0; }, [](auto& how) { how.surgery.multiple = 0; }})
    REQUIRE(tests::has(refused(change), "channels cannot be replaced with dead"));
  REQUIRE(tests::has(refused([](auto& how) { how.budget = 0.7; }), "would cost more than its budget"));
  REQUIRE(
      tests::has(refused([](auto& how) { how.sparse.stop_early({.score = "top1"}); }), "the sparse stage of a rejuvenation stops early"));
  REQUIRE(tests::has(refused([](auto& how) { how.sparse.ema(0.9); }), "the sparse stage of a rejuvenation has a moving average"));
  REQUIRE(tests::has(refused([](auto& how) { how.times = 2, how.surgery.cross = c2f::cross_connections::attention; }),
                     "a rejuvenation with cross attention has times 2"));
  REQUIRE(tiny::same_bytes(before, tiny::tensors_of(made)));
}
