// Image classification from few labels: deep co-training, its ablations, and one network on the labelled pictures alone or on all of them
// (docs/semi-supervised.md).
//
//   60_co_training --data DIR --set cifar100_coarse --labels 1000 --variant co_training --epochs 30 --out runs/co
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/datasets/omniglot.hpp>
#include <c2f/networks/cnn13.hpp>
#include <c2f/systems/deep_co_training.hpp>
#include <c2f/systems/mean_teacher.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <optional>

namespace {

struct settings {
  std::string set = "cifar100_coarse", network = "resnet8";
  std::int64_t labels = 1000, views = 2, rows = 0;
  bool validation   = false;
  double lambda_cot = 10, epsilon = 0.02;
  std::optional<double> lambda_dif;
  /// Published: 1 for CIFAR-100, .5 for CIFAR-10.
  [[nodiscard]] double dif() const { return lambda_dif.value_or(set.starts_with("cifar100") ? 1 : 0.5); }
};

template <class Network, class Data>
struct classifier {
  static constexpr char const* name = "supervised";
  using input                       = typename decltype(Data::test)::image;
  using network                     = Network;
  using refine                      = c2f::refine::no_fine_network;
};
/// The warm-up of 80 of 600 epochs, as a fraction of a training of any length.
template <class Network, class Data>
struct view : classifier<Network, Data> {
  using schedule = c2f::schedule::gaussian_ramp<80.0 / 600, c2f::by::fraction>;
};

/// Published settings (Qiao et al. 2018, section 4.1): SGD, learning rate falling by a half cosine.
c2f::recipe::settings recipe_of(program::options const& chosen, std::int64_t batch) {
  return program::recipe_of(chosen).batch(batch).decay(c2f::decay::cosine{});
}

/// Labelled rows of a view in a batch: as many as their part of all pictures, and at least one.
std::int64_t labelled_rows(std::int64_t pictures, program::options const& chosen, settings const& with) {
  if (with.rows > 0) return with.rows;
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(chosen.batch * with.labels) / static_cast<double>(pictures)));
}

/// The scores of the views: their mean, which published tables report, and the ensemble.
void print_views(c2f::training_report const& report) {
  if (report.epochs.empty() || !program::first_process()) return;
  double sum = 0, count = 0;
  for (auto const& each : report.epochs.back().scores)
    if (each.stage.starts_with("view")) sum += each.values.front().second, ++count;
  if (count > 0) std::printf("mean of %.0f views: top1 %.2f %%\n", count, 100 * sum / count);
}

template <std::size_t Views, class Network, class Data>
void co_train(Data const& data, program::options const& chosen, settings const& with, std::string const& title) {
  std::int64_t const labelled = labelled_rows(data.train.size(), chosen, with);
  bool const cot = chosen.variant != "without_cot", dif = chosen.variant != "without_dif";
  c2f::systems::deep_co_training<view<Network, Data>, Views> model({.labelled   = labelled,
                                                                    .unlabelled = chosen.batch - labelled,
                                                                    .lambda_cot = cot ? with.lambda_cot : 0,
                                                                    .lambda_dif = dif ? with.dif() : 0,
                                                                    .epsilon    = with.epsilon},
                                                                   chosen.seed);
  auto const few = c2f::systems::few_label_data(model, data, with.labels, chosen.seed);
  print_views(program::train(model, few, chosen, title, recipe_of(chosen, model.rows())));
}

template <class Network, class Data>
void train(Data const& data, program::options const& chosen, settings const& with) {
  if (with.labels >= data.train.size())
    throw c2f::input_error("--labels " + std::to_string(with.labels) + " leaves none of " + std::to_string(data.train.size()) +
                           " pictures without a label; write fewer");
  std::string const title = with.set + ", " + std::to_string(with.labels) + " labels, " + chosen.variant;
  if (chosen.variant == "supervised" || chosen.variant == "all_labels") {
    // As many steps as co-training: epochs of as many batches, drawn from the labelled pictures.
    std::int64_t const unlabelled = chosen.batch - labelled_rows(data.train.size(), chosen, with),
                       steps      = std::max<std::int64_t>(1, (data.train.size() - with.labels) / unlabelled);
    c2f::stack<classifier<Network, Data>> model(chosen.seed);
    auto const run = [&](auto const& samples) {
      c2f::data::streams train{c2f::data::stream{samples, chosen.batch}};
      c2f::data::partly_labelled_data const parts{train.batches_an_epoch(steps), data.test};
      program::train(model, parts, chosen, title, recipe_of(chosen, chosen.batch));
    };
    std::vector<std::int64_t> all(static_cast<std::size_t>(data.train.size()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    run(chosen.variant == "all_labels" ? c2f::data::subset(data.train, std::move(all))
                                       : c2f::data::few_labels(data.train, with.labels, chosen.seed).labelled);
  } else if (chosen.variant == "mean_teacher") {
    std::int64_t const labelled = labelled_rows(data.train.size(), chosen, with);
    c2f::systems::mean_teacher<view<Network, Data>> model(
        {.labelled = labelled, .unlabelled = chosen.batch - labelled, .mirror = with.set != "omniglot"}, chosen.seed);
    auto const few = c2f::systems::few_label_data(model, data, with.labels, chosen.seed);
    program::train(model, few, chosen, title, recipe_of(chosen, model.rows()));
  } else if (with.views == 4) {
    co_train<4, Network>(data, chosen, with, title);
  } else {
    co_train<2, Network>(data, chosen, with, title);
  }
}

/// CIFAR's pictures of the first classes with pixels of 0 ... 1, crops with a padding of two pixels, and the first --limit of them to train on;
/// with --validation every fifth of these is a test picture.
template <class Data>
auto semi_supervised(Data const& whole, std::int64_t classes, program::options const& chosen, settings const& with) {
  auto const ids_of = [&](auto const& samples) {
    std::vector<std::int64_t> ids;
    for (std::int64_t id = 0; id < samples.size(); ++id)
      if (samples.label(id) < classes) ids.push_back(id);
    return ids;
  };
  auto train = ids_of(whole.train), test = ids_of(whole.test);
  if (std::cmp_greater(chosen.limit, train.size()))
    throw c2f::input_error("--limit " + std::to_string(chosen.limit) + " is more than the " + std::to_string(train.size()) +
                           " training pictures; write fewer, or 0 for all");
  if (chosen.limit > 0) train.resize(static_cast<std::size_t>(chosen.limit));
  if (with.validation) {
    test.clear();
    std::vector<std::int64_t> rest;
    for (std::size_t i = 0; i < train.size(); ++i) (i % 5 == 4 ? test : rest).push_back(train[i]);
    train = std::move(rest);
  }
  auto const seen = [](auto const& samples) { return samples.seen_with({0, 0, 0}, {1, 1, 1}, 2); };
  return c2f::data::partly_labelled_data{c2f::data::subset(seen(whole.train), std::move(train)),
                                         c2f::data::subset(seen(with.validation ? whole.train : whole.test), std::move(test))};
}

/// The drawings of 136 characters by fifteen people to train on, and by the other five to test; with --validation three of the fifteen are
/// those to test.
auto drawings_by_person(program::options const& chosen, settings const& with) {
  constexpr std::int64_t people = 20;
  std::int64_t const trained = with.validation ? 12 : 15, tested = with.validation ? 15 : people;
  auto const file = chosen.data / "images_background_small1.zip";
  c2f::data::omniglot_split<28> const whole("Omniglot", {file});
  if (whole.classes().size() != 136 || whole.size() != 136 * people)
    throw c2f::input_error("'" + file.string() + "' has " + std::to_string(whole.size()) + " drawings of " +
                           std::to_string(whole.classes().size()) + " characters, and the published file has 2720 of 136; copy it again");
  std::vector<std::int64_t> train, test;
  for (std::int64_t person = 0; person < tested; ++person)  // a --limit takes away people, not characters
    for (std::int64_t id = person; id < whole.size(); id += people) (person < trained ? train : test).push_back(id);
  if (chosen.limit > 0) train.resize(static_cast<std::size_t>(std::min<std::int64_t>(chosen.limit, std::ssize(train))));
  return c2f::data::partly_labelled_data{c2f::data::subset(whole, std::move(train)), c2f::data::subset(whole, std::move(test))};
}

template <std::int64_t Classes, class Data>
void with_network(Data const& whole, program::options const& chosen, settings const& with, std::int64_t used = Classes) {
  auto const data = semi_supervised(whole, used, chosen, with);
  if (with.network == "cnn13")
    train<c2f::cnn13<c2f::class_vector<Classes>>>(data, chosen, with);
  else
    train<c2f::resnet_cifar<8, c2f::class_vector<Classes>>>(data, chosen, with);
}

}  // namespace

int main(int argc, char** argv) {
  settings with;
  auto const chosen = program::read_options(
      argc, argv, "Trains networks on few labels and many pictures without one, and scores them on the test pictures.",
      {"co_training", "without_dif", "without_cot", "mean_teacher", "supervised", "all_labels"},
      {.variant = "co_training", .epochs = 600, .batch = 100}, [&](CLI::App& app) {
        app.add_option("--set", with.set,
                       "Pictures: CIFAR-10, CIFAR-100, its first ten classes, its 20 coarse classes, or 136 characters of Omniglot")
            ->check(CLI::IsMember({"cifar10", "cifar100", "cifar100_ten", "cifar100_coarse", "omniglot"}));
        app.add_option("--network", with.network, "Network of a view")->check(CLI::IsMember({"resnet8", "cnn13"}));
        app.add_option("--labels", with.labels, "Pictures that keep their label")->check(CLI::Range(1, 50'000));
        app.add_option("--labelled-rows", with.rows, "Labelled pictures of a view in a batch; 0: as many as their part of all")
            ->check(CLI::Range(0, 10'000));
        app.add_flag("--validation", with.validation, "Hold out a fifth of the training pictures and test on them, to choose settings");
        app.add_option("--views", with.views, "Networks that learn from each other")->check(CLI::IsMember({2, 4}));
        app.add_option("--lambda-cot", with.lambda_cot, "Weight of the divergence of views")->check(program::in_range(0, 1000));
        app.add_option("--lambda-dif", with.lambda_dif, "Weight of the loss on adversarial examples; 1 for CIFAR-100, else .5")
            ->check(program::in_range(0, 1000));
        app.add_option("--epsilon", with.epsilon, "Change of a pixel of 0 to 1 in an adversarial example")->check(program::in_range(0, 1));
      });
  return program::run([&] {
    program::check(chosen);
    if (with.rows >= chosen.batch)
      throw c2f::input_error("--labelled-rows " + std::to_string(with.rows) + " leaves no unlabelled pictures in a batch of " +
                             std::to_string(chosen.batch) + "; write fewer, or a larger --batch");
    if (!chosen.variant.starts_with("co_") && !chosen.variant.starts_with("without_"))
      program::refuse_typed(chosen, {"--views", "--lambda-cot", "--lambda-dif", "--epsilon"}, "with --variant " + chosen.variant);
    if (chosen.variant == "without_cot") program::refuse_typed(chosen, {"--lambda-cot"}, "with --variant without_cot");
    if (chosen.variant == "without_dif") program::refuse_typed(chosen, {"--lambda-dif", "--epsilon"}, "with --variant without_dif");
    if (with.set == "omniglot" && with.network == "cnn13") throw c2f::input_error("--network cnn13 is for CIFAR; write --network resnet8");
    if (with.set == "omniglot")
      train<c2f::resnet_cifar<8, c2f::class_vector<136>>>(drawings_by_person(chosen, with), chosen, with);
    else if (with.set == "cifar10")
      with_network<10>(c2f::data::cifar10(chosen.data), chosen, with);
    else if (with.set == "cifar100_ten")
      with_network<100>(c2f::data::cifar100(chosen.data), chosen, with, 10);
    else if (with.set == "cifar100")
      with_network<100>(c2f::data::cifar100(chosen.data), chosen, with);
    else
      with_network<20>(c2f::data::cifar100_coarse(chosen.data), chosen, with);
  });
}
