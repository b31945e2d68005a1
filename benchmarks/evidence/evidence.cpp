// One training of the evidence table (docs/evidence.md), as a line of CSV on stdout; run.py calls it for all tasks, variants and seeds.
//
//   bench_evidence TASK VARIANT SEED DATA         tasks: glyphs classes scenes boxes pets streets organs
//                                                 variants: bl bl2 two ind jnt pt pt_borrow pt_paper
//   bench_evidence scenes_average bl SEED DATA    with the mean over positions as the localiser's head; boxes_average as well
//   bench_evidence --list
//
// Columns: task, variant, seed, metric, processor seconds of training, then in per cent the scores of the coarse and the fine network on
// the test split and of the mean of their predictions (class vectors), of the fine network conditioned on truth, argmax, a shuffled
// prediction and nothing, and the answers that it fixes and breaks.
#include "common/tasks.hpp"

#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/datasets/organ_slices.hpp>
#include <c2f/data/datasets/voc.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/networks/unet.hpp>
#include <c2f/train/memory.hpp>
#include <c2f/train/probe.hpp>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace {

struct arguments {
  std::string task, variant;
  std::uint64_t seed = 1;
  std::filesystem::path data;
};

struct of_20_classes {  // glyphs, and the coarse classes of CIFAR-100
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<20>>;
  using combine = c2f::combine::average;  // scored beside both outputs; in training it has no effect
};
template <int Side, int Classes, class Head>
struct localisation {
  using input   = c2f::image<3, Side, Side>;
  using network = c2f::localiser<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::boxes<Classes>, 64, Head>;
};
template <class Head = c2f::head::flatten>
using boxes = localisation<96, 3, Head>;
template <class Head = c2f::head::flatten>
using scenes = localisation<64, 3, Head>;
using pets   = localisation<96, 1, c2f::head::flatten>;
struct streets {  // label 11 is void and is ignored
  using input   = c2f::image<3, 180, 240>;
  using network = c2f::fcn<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::dense<11, 11>>;
  using combine = c2f::combine::average;
};
struct organs {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::unet<3, 8, c2f::dense<1>>;
};

/// Two networks that read the image alone: what their number does without any conditioning.
template <class Base>
struct two : Base {
  static constexpr char const* name = "two";
  using encoder                     = c2f::encode::none;
};
/// Progressive training as in the paper: t reaches 1 after 98 of 164 epochs, behind the first milestone of the learning rate.
template <class Base>
struct pt_paper : Base {
  static constexpr char const* name = "pt_paper";
  using schedule                    = c2f::schedule::ramp<0.5, 98.0 / 164, c2f::by::fraction>;
};
template <class Base>
using variants = c2f::registry<tasks::bl<Base>, tasks::bl2<Base>, two<Base>, tasks::ind<Base>, tasks::jnt<Base>, tasks::pt<Base>,
                               tasks::pt_borrow<Base>, pt_paper<Base>>;

template <class Base>
using baseline = c2f::registry<tasks::bl<Base>>;

template <class Train, class Test>
struct both_splits {
  Train train;
  Test test;
};
template <class Train, class Test>
both_splits(Train, Test) -> both_splits<Train, Test>;

template <class Base, template <class> class Variants = variants, class Data>
void run(arguments const& given, Data const& data, c2f::recipe::settings recipe) {
  Variants<Base>::with(given.variant, [&]<class Task>(c2f::chosen<Task>) {
    if (given.variant == "bl2") recipe.epochs(2 * recipe.epochs());
    recipe.seed(given.seed).threads(0);
    c2f::stack<Task> model(given.seed);
    // Scored at the end alone: scores after every epoch would only cost time.
    both_splits const trained{data.train, c2f::data::take(data.test, 1)};
    std::clock_t const begin = std::clock();  // processor time: other programs on the machine do not count
    c2f::fit(model, trained, recipe);
    double const seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    auto const percent   = [](double value) { return 100 * value; };
    auto const scores    = c2f::evaluate(model, data.test, recipe);
    auto const of        = [&](auto const& found, std::string_view stage) {
      for (auto const& each : found)
        if (each.stage == stage) return percent(each.values[0].second);
      return std::nan("");
    };
    std::printf("%s,%s,%llu,%s,%.1f,%.2f", given.task.c_str(), given.variant.c_str(), static_cast<unsigned long long>(given.seed),
                scores[0].values[0].first.c_str(), seconds, of(scores, "coarse"));
    if constexpr (c2f::complete<Task>::refine::rounds > 0) {
      auto const found = c2f::probe(model, data.test, recipe);
      std::printf(",%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f\n", of(scores, "fine"), of(scores, "answer"), of(found.scores, "truth"),
                  of(found.scores, "argmax"), of(found.scores, "shuffled"), of(found.scores, "nothing"), percent(found.fixed),
                  percent(found.broken));
    } else {
      std::printf(",,,,,,,,\n");
    }
  });
}

void run(arguments const& given) {
  using c2f::recipe::cifar;
  if (given.task == "glyphs") return run<of_20_classes>(given, c2f::data::glyphs<20>(), cifar{}.epochs(8).batch(64));
  if (given.task.starts_with("scenes")) {
    c2f::data::scenes<64> const whole{{.train = 1600, .test = 400}};
    auto const recipe = cifar{}.epochs(16).batch(32).learning_rate(0.03).weight_decay(5e-4);
    if (given.task == "scenes") return run<scenes<>>(given, whole, recipe);
    if (given.task == "scenes_average") return run<scenes<c2f::head::average>, baseline>(given, whole, recipe);
  }
  if (given.task == "classes") {
    c2f::data::cifar100_coarse const whole(given.data / "cifar-100-binary");
    return run<of_20_classes>(given, both_splits{c2f::data::take(whole.train, 2000), c2f::data::take(whole.test, 4000)},
                              cifar{}.epochs(40).batch(64));
  }
  if (given.task.starts_with("boxes")) {
    c2f::data::voc<3, 96> const whole{
        {.root = given.data / "bccd" / "BCCD", .objects = c2f::data::object_choice::one_a_class, .train_set = "trainval", .seed = 1}};
    auto const recipe = cifar{}.epochs(60).batch(16).learning_rate(0.03).weight_decay(5e-4);
    if (given.task == "boxes") return run<boxes<>>(given, whole, recipe);
    if (given.task == "boxes_average") return run<boxes<c2f::head::average>, baseline>(given, whole, recipe);
  }
  if (given.task == "pets") {
    c2f::data::voc<1, 96> const whole{
        {.root = given.data / "pets3", .class_from = c2f::data::class_source::any, .objects = c2f::data::object_choice::single, .seed = 1}};
    return run<pets>(given, whole, cifar{}.epochs(60).batch(16).learning_rate(0.02).weight_decay(5e-4));
  }
  if (given.task == "streets")
    return run<streets>(given, c2f::data::camvid<>(given.data / "camvid_240x180"),
                        cifar{}.epochs(12).batch(8).learning_rate(0.05).weight_decay(5e-4));
  if (given.task == "organs") {
    auto const folder = given.data / "hippocampus" / "data" / "TrainingSet";
    c2f::data::organ<64, 64> const whole(folder / "images", folder / "labels");
    return run<organs>(given, both_splits{c2f::data::take(whole.train, std::min<std::int64_t>(1600, whole.train.size())), whole.test},
                       cifar{}.epochs(6).batch(16).learning_rate(0.05));
  }
  throw c2f::input_error("no task is called '" + given.task + "'; write glyphs, classes, scenes, boxes, pets, streets or organs");
}

}  // namespace

int main(int argc, char** argv) {
  c2f::keep_memory();
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    std::puts("glyphs classes scenes boxes pets streets organs scenes_average boxes_average\nbl bl2 two ind jnt pt pt_borrow pt_paper");
    return 0;
  }
  try {
    if (argc != 5) throw c2f::input_error("usage: bench_evidence TASK VARIANT SEED DATA, or --list");
    std::string const seed = argv[3];
    if (seed.empty() || seed.size() > 18 || seed.find_first_not_of("0123456789") != std::string::npos)
      throw c2f::input_error("the seed is '" + seed + "'; write a number");
    arguments const given{argv[1], argv[2], std::stoull(seed), argv[4]};
    run(given);
    return 0;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
