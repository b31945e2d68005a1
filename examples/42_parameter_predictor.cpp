// Few-shot classification by predicted parameters (Qiao et al., CVPR 2018): a ResNet-8 is trained on the large categories, and its activations
// are computed once; φ is trained to predict the classifier row of a category from a statistic of its activations, and predicts those of
// new categories from a few samples. Evaluated among all categories and on episodes of new ones, beside nearest neighbours, cosine
// prototypes, fine-tuning, generated weights (41_dynamic_few_shot) and a linear classifier of all samples.
//
//   42_parameter_predictor --data cifar-100-binary --set cifar_80_20 --variant phi2 --base runs/cifar.safetensors --out runs/phi2
//
// phi1 and phi2 are φ with one and two layers; pair is a stack whose coarse and fine network both predict their rows, trained progressively.
#include "common/few_shot.hpp"
#include "common/tasks.hpp"

#include <c2f/inference/features.hpp>
#include <c2f/metrics/impact.hpp>
#include <c2f/networks/predicts.hpp>
#include <c2f/systems/dynamic_few_shot.hpp>
#include <c2f/systems/parameter_predictor.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/fine_tune.hpp>

#include <CLI/CLI.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <chrono>
#include <functional>

namespace {

namespace pp  = c2f::parameter_predictor;
namespace few = c2f::dynamic_few_shot;

constexpr std::int64_t channels = 64, new_classes = 20, most = 1024;  // most: the classes that a predictor can have

struct arguments {
  std::string set               = "cifar_80_20";
  std::filesystem::path network = {};
  std::int64_t queries = 15, episodes = 600, draws = 20, epochs = 40, batches = 250, predict = 0;
  double p_mean = 0.9, learning_rate = 0.01;
};

// held_out: the samples of each class that are held out for tests among all classes.
struct cifar_80_20_set {
  using image                                = c2f::image<3, 32, 32>;
  static constexpr std::int64_t base_classes = 80, held_out = 100;
  static auto open(std::filesystem::path const& folder) { return c2f::data::cifar_80_20(folder); }
};
struct cifar_fs_set : program::cifar_fs_set {
  static constexpr std::int64_t held_out = 100, most = 100;
};
struct mini_imagenet_set : program::mini_imagenet_set {
  static constexpr std::int64_t held_out = 100, most = 100;
};
/// The whole background set, or the small one in four rotations.
struct omniglot_set {
  using image                                = c2f::image<1, 28, 28>;
  static constexpr std::int64_t base_classes = 964, held_out = 5;
  static auto open(std::filesystem::path const& folder) {
    bool const whole = program::exists(folder / "images_background.zip");
    return c2f::data::omniglot<28>({.base      = {folder / (whole ? "images_background.zip" : "images_background_small1.zip")},
                                    .novel     = {folder / (whole ? "images_evaluation.zip" : "images_background_small2.zip")},
                                    .rotations = !whole});
  }
};

template <class Set>
struct base_classes {
  using input   = typename Set::image;
  using network = c2f::resnet_cifar<8, c2f::class_vector<Set::base_classes>>;
};
struct linear_task {
  static constexpr char const* name = "linear";
  using input                       = c2f::image<channels, 1, 1>;
  using network                     = c2f::predicts<c2f::class_vector<most>, c2f::flatten, c2f::linear<most>>;
  using refine                      = c2f::refine::no_fine_network;
};
constexpr std::int64_t few_base = 80;  // the most large categories for which weights are generated
struct generated_task {
  static constexpr char const* name = "generated";
  using input                       = c2f::image<channels, 1, 1>;
  using network                     = few::network<c2f::flatten, few_base, new_classes>;
  using refine                      = c2f::refine::no_fine_network;
};

/// Activations and their classes.
struct samples {
  at::Tensor features, labels;  // [N, C], [N]
};
template <class Split>
samples all_of(Split const& split) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(split.size()));
  std::iota(ids.begin(), ids.end(), 0);
  return {c2f::data::read_samples(split, ids).flatten(1).contiguous(), at::tensor(c2f::data::labels(split))};
}
at::Tensor as_images(at::Tensor const& features) { return features.unsqueeze(2).unsqueeze(3); }
at::Tensor unit(at::Tensor const& x) { return c2f::detail::unit_rows(x); }

using table = c2f::data::table<channels>;
/// What the methods start from.
struct problem_data {
  c2f::data::held_out<table> large, few;  // of the new classes the first `new_classes`
  table novel;                            // all of them, for episodes
  samples large_train{}, large_test{}, few_train{}, few_test{};
  at::Tensor tests{};  // the features of large_test and few_test
  std::int64_t large_count = 0;
  at::Tensor weight{}, bias{};  // of the network's classifier
};

/// Logits of queries [Q, C] for new classes, given supports [S, C] with labels; among all classes behind those of the large categories.
struct method {
  std::string name;
  std::function<at::Tensor(samples const& support, at::Tensor const& queries, bool among_all)> logits;
};
at::Tensor largest_of_class(at::Tensor const& responses, at::Tensor const& labels, std::int64_t classes) {
  return at::full({responses.size(0), classes}, -std::numeric_limits<double>::infinity(), responses.options())
      .scatter_reduce(1, labels.unsqueeze(0).expand_as(responses), responses, "amax");
}
std::int64_t ways(samples const& support) { return support.labels.max().item<std::int64_t>() + 1; }
at::Tensor means_of(samples const& of) {
  return table("support", of.features,
               std::vector<std::int64_t>(of.labels.const_data_ptr<std::int64_t>(),
                                         of.labels.const_data_ptr<std::int64_t>() + of.labels.numel()))
      .means()
      .means;
}

method nearest_neighbour(problem_data const& data) {
  return {"nearest neighbour", [&data, large = at::Tensor()](samples const& support, at::Tensor const& queries, bool among_all) mutable {
            at::Tensor const own = largest_of_class(unit(queries).matmul(unit(support.features).t()), support.labels, ways(support));
            if (!among_all) return own;
            if (!large.defined()) {  // the queries are always the same
              std::vector<at::Tensor> columns;
              for (std::int64_t k = 0; k < data.large_count; ++k) {
                at::Tensor const members = data.large_train.features.index({data.large_train.labels.eq(k)});
                columns.push_back(unit(queries).matmul(unit(members).t()).amax(1));
              }
              large = at::stack(columns, 1);
            }
            return at::cat({large, own}, 1);
          }};
}
method cosine_prototypes(problem_data const& data) {
  return {"cosine prototypes", [means = means_of(data.large_train)](samples const& support, at::Tensor const& queries, bool among_all) {
            at::Tensor const own = means_of(support);
            return unit(queries).matmul(unit(among_all ? at::cat({means, own}) : own).t());
          }};
}

/// Among all classes the network's classifier with rows of 0 for the new ones, trained for some epochs on all samples that there are; alone
/// rows of 0, trained for 50 steps on the support.
method fine_tuned(problem_data const& data, std::string name, std::int64_t epochs, c2f::recipe::settings const& machine) {
  return {std::move(name), [&data, epochs, machine](samples const& support, at::Tensor const& queries, bool among_all) {
            c2f::stack<linear_task> model(1);
            std::int64_t const large = among_all ? data.large_count : 0, classes = large + ways(support);
            {
              at::NoGradGuard const no_gradients;
              for (auto& each : c2f::parameters(model)) each.zero_();
              auto& head = std::get<1>(model.coarse.layers);
              if (among_all)
                head.weight.tensor().narrow(0, 0, large).copy_(data.weight), head.bias.tensor().narrow(0, 0, large).copy_(data.bias);
            }
            at::Tensor const shown = support.features, numbers = support.labels.add(large);
            c2f::fine_tune(model, as_images(among_all ? at::cat({data.large_train.features, shown}) : shown),
                           among_all ? at::cat({data.large_train.labels, numbers}) : numbers,
                           c2f::recipe::settings(machine).epochs(among_all ? epochs : 50).batch(128).learning_rate(0.02).no_milestones());
            c2f::move_to(model, at::kCPU);  // where queries are
            at::NoGradGuard const no_gradients;
            return model(as_images(queries), c2f::eval).answer.narrow(1, 0, classes);
          }};
}

/// The observer of a training on activations: a line for each tenth of it.
struct short_log {
  std::string name;
  std::int64_t epochs;
  void on_epoch(c2f::epoch_record const& epoch) const {
    if ((epoch.epoch + 1) % std::max<std::int64_t>(1, epochs / 10) == 0)
      std::fprintf(stderr, "%s, epoch %ld   loss %.3f   top1 %.2f %%\n", name.c_str(), static_cast<long>(epoch.epoch + 1),
                   epoch.losses.back().second, 100 * epoch.scores.back().values[0].second);
  }
};

/// Rows of the large categories by cosine, then weight generators on episodes, all on the activations of the same network.
method generated_weights(problem_data const& data, program::options const& chosen, c2f::interrupt& on_ctrl_c) {
  few::episodic<generated_task> model({.way = 5, .shot = 1, .queries = 3, .seed = chosen.seed}, chosen.seed);
  using first_split = few::with_room<new_classes, c2f::data::chosen<table>>;
  struct {
    first_split train, test;
  } const first{first_split(data.large.train), first_split(data.large.test)};
  c2f::stack<generated_task> rows(chosen.seed);
  c2f::fit(rows, first, program::machine_of(chosen).seed(chosen.seed).epochs(4).batch(128).learning_rate(0.1).milestone(.75),
           short_log{"rows", 4}, on_ctrl_c);
  static_cast<c2f::stack<generated_task>&>(model) = rows;
  struct {
    c2f::data::episode_batches<c2f::data::chosen<table>> train;
    first_split test;
  } const second{{data.large.train, model.options(), 1000}, first_split(data.large.test)};
  c2f::fit(model, second,
           program::machine_of(chosen).seed(chosen.seed).epochs(6).batch(second.train.rows()).learning_rate(0.01).milestone(.6),
           short_log{"generators", 6}, on_ctrl_c);
  c2f::move_to(model, at::kCPU);
  return {"generated weights", [model, &data](samples const& support, at::Tensor const& queries, bool among_all) mutable {
            at::NoGradGuard const no_gradients;
            c2f::pass shown;
            few::adapt(model, as_images(support.features), support.labels, shown);
            at::Tensor const all = model(as_images(queries), c2f::eval).answer, own = all.narrow(1, few_base, ways(support));
            return among_all ? at::cat({all.narrow(1, 0, data.large_count), own}, 1) : own;
          }};
}

/// The classifier of a model with the large categories by their means, and a new class by its samples or by their mean.
template <class Task>
method predicted(problem_data const& data, pp::model<Task> const& model, std::string const& name, bool by_mean = false,
                 bool coarse = false) {
  return {name, [held = model, means = model.known(), by_mean, coarse, &data](samples const& support, at::Tensor const& queries,
                                                                              bool among_all) mutable {
            at::NoGradGuard const no_gradients;
            std::int64_t const way = ways(support);
            at::Tensor const numbers =
                                 by_mean ? at::arange(data.large_count, data.large_count + way) : support.labels.add(data.large_count),
                             shown = by_mean ? means_of(support) : support.features;
            held.classes(among_all ? means : c2f::data::statistics{shown, numbers});
            if (among_all) held.add(shown, numbers);
            auto const found         = held(as_images(queries), c2f::eval);
            at::Tensor const& logits = coarse ? found.coarse : found.answer;
            return among_all ? logits.narrow(1, 0, data.large_count + way) : logits.narrow(1, data.large_count, way);
          }};
}

/// Fractions of the tests whose class has the highest, or one of the five highest logits.
std::pair<double, double> top(at::Tensor const& logits, at::Tensor const& labels) {
  at::Tensor const hit = std::get<1>(logits.topk(std::min<std::int64_t>(5, logits.size(1)), 1)).eq(labels.unsqueeze(1)).to(at::kDouble);
  return {hit.select(1, 0).mean().item<double>(), hit.sum(1).mean().item<double>()};
}

using scores = std::map<std::string, std::vector<double>>;
void print(nlohmann::ordered_json& json, std::string const& protocol, std::string const& method, scores const& seen) {
  std::printf("%-16s %-30s", protocol.c_str(), method.c_str());
  for (auto const& [name, values] : seen) {
    auto const found = c2f::metrics::mean_interval(values);
    if (found.count > 1)
      std::printf("  %s %.2f +- %.2f", name.c_str(), 100 * found.mean, 100 * found.half);
    else
      std::printf("  %s %.2f", name.c_str(), 100 * found.mean);
    auto& to       = json[protocol][method][name];
    to["accuracy"] = found.mean;
    if (found.count > 1) to["interval"] = found.half;
    to["values"] = values;
  }
  std::printf("\n");
  std::fflush(stdout);
}

/// Accuracies among all classes: of the tests of the large categories and of the new ones.
void among_all(problem_data const& data, method const& with, samples const& support, scores& into) {
  at::Tensor const logits     = with.logits(support, data.tests, true);
  std::int64_t const of_large = data.large_test.labels.numel(), of_new = data.few_test.labels.numel();
  auto const [large1, large5] = top(logits.narrow(0, 0, of_large), data.large_test.labels);
  auto const [few1, few5]     = top(logits.narrow(0, of_large, of_new), data.few_test.labels.add(data.large_count));
  into["1 large top1"].push_back(large1), into["2 large top5"].push_back(large5);
  into["3 new top1"].push_back(few1), into["4 new top5"].push_back(few5);
  into["5 all top1"].push_back((large1 * static_cast<double>(of_large) + few1 * static_cast<double>(of_new)) /
                               static_cast<double>(of_large + of_new));
}

void evaluate(problem_data const& data, std::vector<method> const& methods, std::vector<method> const& oracles, arguments const& more,
              program::options const& chosen, c2f::interrupt& on_ctrl_c, nlohmann::ordered_json& json) {
  for (std::int64_t const shot : {1, 2, 3, 5}) {
    c2f::data::episodes const draws(data.few.train, {.way = new_classes, .shot = shot, .queries = 1, .seed = chosen.seed});
    std::vector<scores> seen(methods.size());
    for (std::int64_t number = 0; number < more.draws && !on_ctrl_c.stop(); ++number) {
      auto const drawn = draws.at(number);
      std::vector<std::int64_t> labels;
      for (auto const id : drawn.support) labels.push_back(data.few.train.label(id));
      samples const support{c2f::data::read_samples(data.few.train, drawn.support).flatten(1).contiguous(), at::tensor(labels)};
      for (std::size_t m = 0; m < methods.size(); ++m) among_all(data, methods[m], support, seen[m]);
    }
    for (std::size_t m = 0; m < methods.size() && !on_ctrl_c.stop(); ++m)
      print(json, "all, " + std::to_string(shot) + " shot", methods[m].name, seen[m]);
  }
  for (auto const& each : oracles) {
    if (on_ctrl_c.stop()) return;
    scores seen;
    among_all(data, each, data.few_train, seen);
    print(json, "all samples", each.name, seen);
  }
  for (std::int64_t const shot : {1, 5}) {
    c2f::data::episodes const tests(data.novel, {.way = 5, .shot = shot, .queries = more.queries, .seed = chosen.seed});
    std::vector<scores> seen(methods.size());
    for (std::int64_t number = 0; number < more.episodes && !on_ctrl_c.stop(); ++number) {
      auto const e = tests.at(number);
      samples const support{c2f::data::read_samples(data.novel, e.support).flatten(1).contiguous(), at::tensor(e.support_labels())};
      at::Tensor const queries = c2f::data::read_samples(data.novel, e.query).flatten(1).contiguous();
      for (std::size_t m = 0; m < methods.size(); ++m)
        seen[m]["accuracy"].push_back(program::accuracy(methods[m].logits(support, queries, false), e.query_labels()));
    }
    for (std::size_t m = 0; m < methods.size() && !on_ctrl_c.stop(); ++m)
      print(json, "5-way, " + std::to_string(shot) + " shot", methods[m].name, seen[m]);
  }
}

/// What a linear φ has learnt, and the time to add the new classes with a sample each.
template <class Task>
void diagnose(problem_data const& data, pp::model<Task> model, nlohmann::ordered_json& json) {
  at::NoGradGuard const no_gradients;
  auto const& layer  = std::get<1>(model.coarse.phi.layers);
  at::Tensor const w = layer.weight.tensor(), diagonal = w.diagonal();
  auto& to       = json["diagnostics"];
  to["diagonal"] = {diagonal.min().template item<double>(), diagonal.max().template item<double>()};
  std::printf("first layer of phi: diagonal %.3f to %.3f", to["diagonal"][0].template get<double>(),
              to["diagonal"][1].template get<double>());
  at::Tensor const impact = c2f::metrics::impact(w);
  to["impact"]            = {impact.min().template item<double>(), impact.max().template item<double>()};
  std::printf(", impact %.2f to %.2f, similarity with the classifier", impact.min().template item<double>(),
              impact.max().template item<double>());
  for (std::int64_t const k : {8, 16, 32}) {
    double const same                   = c2f::metrics::top_k_similarity(w, data.weight, k);
    to["similarity"][std::to_string(k)] = same;
    std::printf(" %.2f of %ld (random %.2f)", same, static_cast<long>(k), static_cast<double>(k) / channels);
  }
  at::Tensor const one = means_of(data.few_train), numbers = at::arange(data.large_count, data.large_count + new_classes);
  auto const begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    auto adapted = model;
    adapted.add(one, numbers);
    (void)adapted.coarse.phi(one, c2f::eval);
  }
  double const seconds   = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / 100;
  to["seconds_to_adapt"] = seconds;
  std::printf("\n%ld classes added in %.2f ms\n", static_cast<long>(new_classes), 1000 * seconds);
}

/// Prints the names of what the classifier says of pictures of new classes, given five samples of each.
void predict(problem_data const& data, method const& with, std::int64_t count, std::vector<std::string> const& names) {
  c2f::data::episode const drawn = c2f::data::episodes(data.few.train, {.way = new_classes, .shot = 5, .queries = 1}).at(0);
  std::vector<std::int64_t> labels;
  for (auto const id : drawn.support) labels.push_back(data.few.train.label(id));
  samples const support{c2f::data::read_samples(data.few.train, drawn.support).flatten(1).contiguous(), at::tensor(labels)};
  std::int64_t const step = std::max<std::int64_t>(1, data.few_test.labels.numel() / count);
  for (std::int64_t i = 0; i < data.few_test.labels.numel() && count > 0; i += step, --count) {
    at::Tensor const best = std::get<1>(with.logits(support, data.few_test.features.narrow(0, i, 1), true).topk(3, 1))[0];
    auto const name       = [&](std::int64_t k) {
      return k < static_cast<std::int64_t>(names.size()) ? names[static_cast<std::size_t>(k)] : "?";
    };
    std::printf("%s:", name(data.large_count + data.few_test.labels[i].item<std::int64_t>()).c_str());
    for (int rank = 0; rank < 3; ++rank) std::printf(" %s", name(best[rank].item<std::int64_t>()).c_str());
    std::printf("\n");
  }
}

/// Trains the predictor of a task, and evaluates it.
template <class Task>
void train_and_evaluate(problem_data const& data, std::vector<std::string> const& names, arguments const& more,
                        program::options const& chosen) {
  c2f::interrupt on_ctrl_c;
  c2f::recipe::settings const machine = program::machine_of(chosen).seed(chosen.seed);
  struct {
    c2f::data::statistic_batches<channels> train;
    c2f::data::chosen<table> test;
  } const split{{table("large categories", data.large_train.features, c2f::data::labels(data.large.train)),
                 {.p_mean = more.p_mean, .batches = more.batches}},
                data.large.test};
  pp::model<Task> model(chosen.seed);
  model.classes(split.train.means());
  std::vector<method> methods{nearest_neighbour(data), cosine_prototypes(data)};
  if constexpr (!pp::model<Task>::has_fine) methods.push_back(predicted(data, model, "phi untrained"));
  c2f::checkpoints kept(chosen.out / "predictor", {.resume = chosen.resume, .warn = program::say});
  auto const recipe = c2f::recipe::settings(machine)
                          .epochs(more.epochs)
                          .batch(split.train.rows())
                          .learning_rate(more.learning_rate)
                          .weight_decay(chosen.weight_decay)
                          .no_milestones();
  if (c2f::fit(model, split, recipe, kept, short_log{chosen.variant, more.epochs}, on_ctrl_c).stopped)
    return program::say("the training of the predictor was stopped, so nothing is evaluated; type the same command with --resume");
  c2f::move_to(model, at::kCPU);
  if (pp::model<Task>::has_fine) methods.push_back(predicted(data, model, chosen.variant + ", coarse", false, true));
  methods.push_back(predicted(data, model, chosen.variant + ", of the mean", true));
  methods.push_back(predicted(data, model, chosen.variant));
  if (more.predict > 0) return predict(data, methods.back(), more.predict, names);
  methods.push_back(fine_tuned(data, "fine-tuned", 1, machine));
  if (data.large_count <= few_base) methods.push_back(generated_weights(data, chosen, on_ctrl_c));
  nlohmann::ordered_json json;
  for (auto const& [name, value] : chosen.given) json["options"][name] = program::json_of_word(value);
  diagnose(data, model, json);
  evaluate(data, methods, {nearest_neighbour(data), cosine_prototypes(data), fine_tuned(data, "linear", 10, machine)}, more, chosen,
           on_ctrl_c, json);
  json["stopped"] = on_ctrl_c.stop();
  if (program::first_process()) c2f::save_weights(model, chosen.out / "predictor.safetensors");
  program::write_json(chosen.out / "predictor.json", json);
}

/// The activations of a set, by a network that is trained on its large categories.
template <class Set>
void run(arguments more, program::options const& chosen) {
  program::choose_base(chosen, more.network);
  auto const whole = Set::open(chosen.data);
  if (!program::base_network<tasks::bl<base_classes<Set>>>(c2f::data::hold_out(whole.base, Set::held_out).train, chosen, more.network))
    return;
  using features = c2f::network_on<c2f::sequential<c2f::resnet_cifar_features<8>, c2f::global_average_pool>, typename Set::image>;
  features net;
  c2f::initialize(net, 1);
  c2f::load_weights(std::get<0>(net.layers), more.network, {.from = "coarse.", .without = {"fc."}});
  program::prepare_folder(chosen.out);
  auto const beside = [&](char const* part) { return more.network.parent_path() / (more.network.stem().string() + part); };
  table const base  = c2f::kept_features(beside(".base_features.safetensors"), net, whole.base),
              novel = c2f::kept_features(beside(".novel_features.safetensors"), net, whole.novel);

  std::vector<std::int64_t> ids, labels;  // of the first new classes
  for (std::int64_t id = 0; id < novel.size(); ++id)
    if (novel.label(id) < new_classes) ids.push_back(id), labels.push_back(novel.label(id));
  table const first(novel.name(), novel.features().index_select(0, at::tensor(ids)), labels);
  problem_data data{.large       = c2f::data::hold_out(base, Set::held_out),
                    .few         = c2f::data::hold_out(first, Set::held_out),
                    .novel       = novel,
                    .large_count = static_cast<std::int64_t>(base.classes().size())};
  data.large_train = all_of(data.large.train), data.large_test = all_of(data.large.test);
  data.few_train = all_of(data.few.train), data.few_test = all_of(data.few.test);
  data.tests            = at::cat({data.large_test.features, data.few_test.features});
  auto const classifier = c2f::data::read_safetensors(more.network);
  data.weight           = classifier.tensors.at("coarse.fc.weight").narrow(0, 0, data.large_count);
  data.bias             = classifier.tensors.at("coarse.fc.bias").narrow(0, 0, data.large_count);

  std::vector<std::string> names = whole.base.classes();
  for (auto const& each : whole.novel.classes()) names.push_back(each);
  if (chosen.variant == "phi1")
    train_and_evaluate<pp::alone<channels, most, c2f::phi::one_layer>>(data, names, more, chosen);
  else if (chosen.variant == "phi2")
    train_and_evaluate<pp::alone<channels, most>>(data, names, more, chosen);
  else
    train_and_evaluate<pp::pair<channels, most>>(data, names, more, chosen);
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.variant = "phi2", .epochs = 30, .learning_rate = 0.1, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Trains a predictor of classifier rows on the activations of a ResNet-8, and adds new classes from a few samples.",
      {"phi1", "phi2", "pair"}, defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of the set: CIFAR-100's binary files, Omniglot's zips, or lists and pictures");
        app.get_option("--epochs")->description("Passes over the large categories, for the ResNet");
        app.get_option("--out")->description("Folder for predictor.json, predictor.safetensors and what the trainings write")->required();
        app.add_option("--set", more.set, "The data set, with its large categories and its new classes")
            ->check(CLI::IsMember({"cifar_80_20", "cifar_fs", "omniglot", "mini_imagenet"}));
        app.add_option("--base", more.network,
                       "File of the ResNet: read, or trained and written if it does not exist; its features are kept beside it; "
                       "default: base.safetensors in --out");
        app.add_option("--p-mean", more.p_mean, "Probability of the mean as the statistic of a class; otherwise one activation")
            ->check(program::in_range(0, 1));
        app.add_option("--predictor-epochs", more.epochs, "Epochs of the predictor")->check(CLI::Range(1, 1'000'000));
        app.add_option("--predictor-batches", more.batches, "Batches of such an epoch")->check(CLI::Range(1, 1'000'000));
        app.add_option("--predictor-learning-rate", more.learning_rate, "Learning rate of the predictor")
            ->check(program::in_range(1e-9, 1e3));
        app.add_option("--draws", more.draws, "Draws of the samples of the new classes, among all classes")
            ->check(CLI::Range(1, 1'000'000));
        app.add_option("--episodes", more.episodes, "Number of 5-way episodes")->check(CLI::Range(1, 1'000'000));
        app.add_option("--queries", more.queries, "Query samples a class of an episode")->check(CLI::Range(1, 1000));
        app.add_option("--predict", more.predict, "Only print what is predicted for this many test pictures of new classes")
            ->check(CLI::Range(1, 1'000'000));
      });
  return program::run([&] {
    program::check(chosen);
    if (more.set == "cifar_80_20") return run<cifar_80_20_set>(more, chosen);
    if (more.set == "cifar_fs") return run<cifar_fs_set>(more, chosen);
    if (more.set == "omniglot") return run<omniglot_set>(more, chosen);
    return run<mini_imagenet_set>(more, chosen);
  });
}
