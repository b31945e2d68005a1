// Few-shot classification without forgetting, coarse to fine (Ren et al. 2020, section 4.2.2, on the baseline of Gidaris and Komodakis): a
// cosine classifier is trained on the base classes, alone (bl) or as a stack (pt); then, with frozen features, weight generators are
// trained on episodes to produce the classifier rows of novel classes from a few samples. Evaluated on episodes of novel classes: among
// themselves, and together with all base classes.
//
//   41_dynamic_few_shot --data cifar-100-binary --set cifar_fs --shot 1 --generator attention --variant pt --out runs/dynamic_pt
#include "common/few_shot.hpp"
#include "common/tasks.hpp"

#include <c2f/networks/few_shot_resnet.hpp>
#include <c2f/systems/dynamic_few_shot.hpp>

#include <CLI/CLI.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

namespace {

namespace few = c2f::dynamic_few_shot;

constexpr std::int64_t way = 5;

struct arguments {
  std::string set = "cifar_fs", generator = "attention";
  std::filesystem::path network = {};
  std::int64_t shot = 1, queries = 15, episodes = 600, tune_epochs = 6, tune_episodes = 200;
  double learning_rate = 0.05;
};

template <class Image>
using features_on = std::conditional_t<Image::height == 84, c2f::few_shot_resnet_features,
                                       c2f::sequential<c2f::resnet_cifar_features<14>, c2f::global_average_pool>>;

template <class Set>
struct base_classes {  // generators are not used yet, but the outputs of the novel classes exist
  using input   = typename Set::image;
  using network = few::network<features_on<input>, Set::base_classes, way, c2f::weight_generator::average>;
};
template <class Set, class Generator>
struct grown {
  using input   = typename Set::image;
  using network = few::network<c2f::frozen<features_on<input>>, Set::base_classes, way, Generator>;
};
template <class Base>
using variants = c2f::registry<tasks::bl<Base>, tasks::pt<Base>>;

/// Prints the last loss of each epoch.
struct generator_log {
  void on_epoch(c2f::epoch_record const& epoch) const {
    std::fprintf(stderr, "generators, epoch %ld   t %.2f   %s loss %.3f\n", static_cast<long>(epoch.epoch + 1), epoch.t,
                 epoch.losses.back().first.c_str(), epoch.losses.back().second);
  }
};

/// Trains the generators of `model` on episodes of base classes. A fiftieth of each class is held out, as from the training of the network.
/// False if it was stopped by a signal.
template <class Task, class Split>
bool train_generators(few::episodic<Task>& model, Split const& base, arguments const& more, program::options const& chosen) {
  auto const held =
      c2f::data::hold_out(base, std::max<std::int64_t>(1, base.size() / static_cast<std::int64_t>(base.classes().size()) / 50));
  auto const data = few::episodes_for(model, held.train, held.test, more.tune_episodes);
  c2f::interrupt on_ctrl_c;
  return !c2f::fit(model, data,
                   program::machine_of(chosen)
                       .epochs(more.tune_epochs)
                       .batch(data.train.rows())
                       .learning_rate(more.learning_rate)
                       .weight_decay(chosen.weight_decay)
                       .nesterov(true)
                       .milestone(1.0 / 3, 0.06)
                       .milestone(2.0 / 3, 0.2),
                   generator_log{}, on_ctrl_c)
              .stopped;
}

template <class Set, class Task, class Problems>
void evaluate(c2f::stack<Task>& model, Problems const& problems, arguments const& more, program::options const& chosen) {
  at::NoGradGuard const no_gradients;
  at::Device const device = program::machine_of(chosen).device();
  c2f::interrupt on_ctrl_c;
  program::accuracies seen;
  for (std::int64_t number = 0; number < more.episodes && !on_ctrl_c.stop(); ++number) {
    auto const problem = problems.at(number);
    c2f::pass shown;
    few::adapt(model, problem.support.to(device), at::tensor(problem.support_labels).to(device), shown);
    auto const both       = model(problem.query.to(device), c2f::eval);
    auto const score_both = [&](std::string const& stage, at::Tensor const& logits) {
      seen[stage + ", new classes"].push_back(program::accuracy(logits.slice(1, Set::base_classes), problem.query_labels));
      seen[stage + ", all classes"].push_back(program::accuracy(logits.roll(way, 1), problem.query_labels));
    };
    score_both("coarse", both.coarse);
    if (both.fine.defined()) score_both("fine", both.fine);
  }
  program::report_episodes(seen, chosen, on_ctrl_c.stop());
}

template <class Set>
void run(arguments more, program::options const& chosen) {
  program::choose_base(chosen, more.network);
  auto const data = Set::open(chosen.data);
  program::problems const problems(data, {way, more.shot, more.queries, chosen.seed});
  few::with_room<way, decltype(data.base)> const base(data.base);
  bool trained = false;
  variants<base_classes<Set>>::with(
      chosen.variant, [&]<class Task>(c2f::chosen<Task>) { trained = program::base_network<Task>(base, chosen, more.network); });
  if (!trained) return;
  auto const grow = [&]<class Generator> {
    variants<grown<Set, Generator>>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
      few::episodic<Task> model({.way = way, .shot = more.shot, .queries = 3, .seed = chosen.seed}, chosen.seed);
      c2f::load_weights(model, more.network, {.partial = true});  // all but the generators
      if (!train_generators(model, data.base, more, chosen))
        return program::say("the training of the generators was stopped, so nothing is evaluated; type the same command again");
      evaluate<Set>(model, problems, more, chosen);
      if (program::first_process()) c2f::save_weights(model, chosen.out / "grown.safetensors");
    });
  };
  more.generator == "average" ? grow.template operator()<c2f::weight_generator::average>()
                              : grow.template operator()<c2f::weight_generator::attention<>>();
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.epochs = 30, .learning_rate = 0.1, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Trains a classifier to which novel classes are added from a few samples, alone or coarse to fine.",
      program::names_of<variants<tasks::any_base>>(), defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of the set: CIFAR-100's binary files, or lists and pictures");
        app.get_option("--epochs")->description("Passes over the base classes");
        app.get_option("--limit")->description("Maximum number of images of the base classes; 0: all");
        app.get_option("--out")
            ->description("Folder for few_shot.json, grown.safetensors and what the training of the base classes writes")
            ->required();
        app.add_option("--set", more.set, "The data set, with its base and novel classes")
            ->check(CLI::IsMember({"cifar_fs", "fc100", "mini_imagenet"}));
        app.add_option("--base", more.network,
                       "File of the stack of the base classes, one for each variant: read, or trained and written if it "
                       "does not exist; default: base.safetensors in --out");
        app.add_option("--generator", more.generator, "The generator of the rows of novel classes")
            ->check(CLI::IsMember({"average", "attention"}));
        app.add_option("--shot", more.shot, "Support samples of each of the 5 novel classes")->check(CLI::Range(1, 1000));
        app.add_option("--queries", more.queries, "Query samples a class")->check(CLI::Range(1, 1000));
        app.add_option("--episodes", more.episodes, "Number of test episodes")->check(CLI::Range(1, 1'000'000));
        app.add_option("--tune-epochs", more.tune_epochs, "Epochs of the generators")->check(CLI::Range(1, 1'000'000));
        app.add_option("--tune-episodes", more.tune_episodes, "Episodes an epoch")->check(CLI::Range(1, 1'000'000));
        app.add_option("--tune-learning-rate", more.learning_rate,
                       "Learning rate of the generators; times .06 and .012 in the second and last third")
            ->check(program::in_range(1e-9, 1e3));
      });
  return program::run([&] {
    program::check(chosen);
    if (more.set == "cifar_fs") return run<program::cifar_fs_set>(more, chosen);
    if (more.set == "fc100") return run<program::fc100_set>(more, chosen);
    return run<program::mini_imagenet_set>(more, chosen);
  });
}
