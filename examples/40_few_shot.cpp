// Few-shot classification by fine-tuning (Ren et al. 2020, section 4.2.2): a network is trained once on the base classes; for every
// episode of novel classes a copy of it is fine-tuned on the few support samples: the coarse network alone (bl), or coarse and fine jointly
// (jnt) or progressively (pt).
//
//   40_few_shot --data omniglot --set omniglot --way 5 --shot 1 --variant pt --base runs/omniglot.safetensors --out runs/pt
//
// The paper does not say how the base network is trained for a pair. By default it is one network, both networks of an episode start from
// it, and the fine one ignores z at first. With --base-variant pt it is a pair that is trained progressively on the base classes, and each
// network of an episode starts from its own, whose fine network reads z from the beginning.
#include "common/few_shot.hpp"
#include "common/tasks.hpp"

#include <c2f/train/fine_tune.hpp>

#include <CLI/CLI.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <chrono>

namespace {

/// The options of this program.
struct arguments {
  std::string set = "omniglot", base_variant = "bl";
  std::filesystem::path network = {};
  std::int64_t way = 5, shot = 1, queries = 15, episodes = 600, epochs = 40, batch = 10;
  double learning_rate = 0.003;
};

template <class Set>
struct base_classes {
  using input   = typename Set::image;
  using network = c2f::resnet_cifar<14, c2f::class_vector<Set::base_classes>>;
};
template <class Image, std::int64_t Way>
struct novel_classes {
  using input   = Image;
  using network = c2f::resnet_cifar<14, c2f::class_vector<Way>>;
};
template <class Base>
using variants = c2f::registry<tasks::bl<Base>, tasks::jnt<Base>, tasks::pt<Base>>;

/// A stack for novel classes, initialised from the network or pair of the base classes except for the layers whose size is the number of
/// classes. From one network (pair: false) the fine network starts as well, with weights of zero for z, the encoded conditioning.
template <class Task>
c2f::stack<Task> prepared(std::filesystem::path const& file, bool pair, std::uint64_t seed) {
  c2f::stack<Task> model(seed);
  c2f::load_weights(model.coarse, file, {.from = "coarse.", .without = {"fc."}});
  if constexpr (c2f::stack<Task>::has_fine) {
    if (pair) {
      c2f::load_weights(model.fine, file, {.from = "fine.", .without = {"fc."}});
      c2f::load_weights(model.encoder, file, {.from = "encoder.", .without = {"project.0."}});
    } else {
      c2f::load_weights(model.fine, file, {.from = "coarse.", .without = {"fc."}, .widen = c2f::widening::zero});
    }
  }
  return model;
}

template <class Task, class Problems>
void evaluate(Problems const& problems, arguments const& more, program::options const& chosen) {
  auto const start = prepared<Task>(more.network, more.base_variant != "bl", chosen.seed);
  auto const recipe =
      program::machine_of(chosen).epochs(more.epochs).batch(more.batch).learning_rate(more.learning_rate).weight_decay(chosen.weight_decay);
  c2f::interrupt on_ctrl_c;
  program::accuracies seen;
  for (std::int64_t number = 0; number < more.episodes && !on_ctrl_c.stop(); ++number) {
    auto const problem = problems.at(number);
    auto model         = start;
    c2f::fine_tune(model, problem.support, at::tensor(problem.support_labels),
                   c2f::recipe::settings(recipe).seed(static_cast<std::uint64_t>(number)));
    at::NoGradGuard const no_gradients;
    auto const both = model(problem.query.to(recipe.device()), c2f::eval);
    seen["coarse"].push_back(program::accuracy(both.coarse, problem.query_labels));
    if (both.fine.defined()) seen["fine"].push_back(program::accuracy(both.fine, problem.query_labels));
  }
  program::report_episodes(seen, chosen, on_ctrl_c.stop());
}

template <class Set>
void run(arguments more, program::options const& chosen) {
  program::choose_base(chosen, more.network);
  auto const data = Set::open(chosen.data);
  if constexpr (requires { data.runs; }) {
    program::refuse_typed(chosen, {"--way", "--shot", "--queries", "--episodes"}, "with --set omniglot_runs, whose runs are given");
    more.way = 20, more.shot = 1;
    more.episodes = static_cast<std::int64_t>(data.runs.size());
  }
  program::problems const problems(data, {more.way, more.shot, more.queries, chosen.seed});
  bool trained = false;
  variants<base_classes<Set>>::with(
      more.base_variant, [&]<class Task>(c2f::chosen<Task>) { trained = program::base_network<Task>(data.base, chosen, more.network); });
  if (!trained) return;
  auto const with_way = [&]<std::int64_t Way> {
    variants<novel_classes<typename Set::image, Way>>::with(chosen.variant,
                                                            [&]<class Task>(c2f::chosen<Task>) { evaluate<Task>(problems, more, chosen); });
  };
  more.way == 5 ? with_way.template operator()<5>() : with_way.template operator()<20>();
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.epochs = 30, .learning_rate = 0.1, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Trains a ResNet-14 on base classes and fine-tunes it on episodes of novel classes, alone or coarse to fine.",
      program::names_of<variants<tasks::any_base>>(), defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of the set: CIFAR-100's binary files, Omniglot's zips, or lists and pictures");
        app.get_option("--epochs")->description("Passes over the base classes");
        app.get_option("--limit")->description("Maximum number of images of the base classes; 0: all");
        app.get_option("--out")->description("Folder for few_shot.json and what the training of the base classes writes")->required();
        app.add_option("--set", more.set, "The data set, with its base and novel classes")
            ->check(CLI::IsMember({"omniglot", "omniglot_runs", "cifar_fs", "fc100", "mini_imagenet"}));
        app.add_option("--base", more.network,
                       "File of the network of the base classes: read, or trained and written if it does not exist; "
                       "default: base.safetensors in --out");
        app.add_option("--base-variant", more.base_variant, "How the base classes are trained: one network, or a pair")
            ->check(CLI::IsMember(program::names_of<variants<tasks::any_base>>()));
        app.add_option("--way", more.way, "Novel classes of an episode")->check(CLI::IsMember({5, 20}));
        app.add_option("--shot", more.shot, "Support samples a class")->check(CLI::Range(1, 1000));
        app.add_option("--queries", more.queries, "Query samples a class")->check(CLI::Range(1, 1000));
        app.add_option("--episodes", more.episodes, "Number of episodes")->check(CLI::Range(1, 1'000'000));
        app.add_option("--tune-epochs", more.epochs, "Passes over the support of an episode")->check(CLI::Range(1, 1'000'000));
        app.add_option("--tune-batch", more.batch, "Samples a step of fine-tuning")->check(CLI::Range(1, 1'000'000));
        app.add_option("--tune-learning-rate", more.learning_rate, "Learning rate of fine-tuning")->check(program::in_range(1e-9, 1e3));
      });
  return program::run([&] {
    program::check(chosen);
    if (more.set == "omniglot") return run<program::omniglot_set>(more, chosen);
    if (more.set == "omniglot_runs") return run<program::omniglot_runs_set>(more, chosen);
    if (more.set == "cifar_fs") return run<program::cifar_fs_set>(more, chosen);
    if (more.set == "fc100") return run<program::fc100_set>(more, chosen);
    return run<program::mini_imagenet_set>(more, chosen);
  });
}
