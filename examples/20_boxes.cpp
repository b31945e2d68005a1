// Coarse-to-fine localisation on Pascal VOC style data or synthetic scenes, by one of the variants of Ren et al. 2020.
//
//   20_boxes --data VOC_ROOT --classes cat,dog,bird --variant pt --out runs/pt
//   20_boxes --data scenes --variant pt --epochs 20 --out runs/scenes
#include "common/box_options.hpp"
#include "common/box_sheet.hpp"
#include "common/tasks.hpp"
#include "common/train.hpp"

#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/data/datasets/voc.hpp>

#include <CLI/CLI.hpp>

namespace {

/// Picture size and network: --backbone.
struct small {
  static constexpr int side = 96;
  template <class Kind>
  using network = c2f::localiser<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, Kind, 64>;
};
struct resnet18 {
  static constexpr int side = 192;
  template <class Kind>
  using network = c2f::localiser<c2f::resnet_features<18, 3>, Kind, 256>;
};
struct resnet50 {  // as in the paper, but for the head
  static constexpr int side = 192;
  template <class Kind>
  using network = c2f::localiser<c2f::resnet_features<50, 3>, Kind>;
};

template <class Model, std::int64_t Classes, int Side = Model::side>
struct localisation {
  using input   = c2f::image<3, Side, Side>;
  using network = typename Model::template network<c2f::boxes<Classes>>;
};

struct arguments {
  program::box_options boxes{.objects = "single"};
  std::string backbone = "small", train_set = "train", test_set = "test";
  std::vector<std::string> classes;
  int images = 1000;
};

template <class Model, std::int64_t Classes, int Side = Model::side, class Data>
void train(program::options const& chosen, Data const& whole, std::string const& name) {
  tasks::variants<localisation<Model, Classes, Side>>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
    c2f::stack<Task> model(chosen.seed);
    auto const report = program::train(model, program::limited(whole, chosen), chosen, name + ", " + chosen.variant);
    if (!chosen.out.empty() && !report.stopped)
      program::write_box_sheet(model, whole.test, name + ", " + chosen.variant, chosen.out / "boxes.png");
  });
}

template <class Model, std::int64_t Classes>
void train_on_files(program::options const& chosen, arguments const& more) {
  auto options      = program::voc_options_of(more.boxes, chosen.data, more.classes);
  options.train_set = more.train_set;
  options.test_set  = more.test_set;
  options.seed      = 1;
  c2f::data::voc<Classes, Model::side> const data(options);
  program::say(data.train.summary());
  program::say(data.test.summary());
  train<Model, Classes>(chosen, data, std::filesystem::absolute(chosen.data / ".").lexically_normal().parent_path().filename().string());
}

template <class Model>
void train_with(program::options const& chosen, arguments const& more) {
  std::size_t const classes = more.boxes.class_from == "any" ? 1 : more.classes.size();
  if (classes == 1) return train_on_files<Model, 1>(chosen, more);
  if (classes == 3) return train_on_files<Model, 3>(chosen, more);
  throw c2f::input_error("--classes names " + std::to_string(classes) +
                         " classes, but this program is compiled for 1 and 3; name as many, or add the number to train_with in "
                         "examples/20_boxes.cpp");
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.epochs = 50, .batch = 32, .learning_rate = 0.02, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Trains a coarse-to-fine localiser and scores both networks: IoU, accuracy at IoU .5, scale within 10 %.", tasks::names,
      defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder with JPEGImages and Annotations, or images and xmls; or 'scenes'");
        app.add_option("--backbone", more.backbone, "small: 96x96 pictures; resnet18, resnet50: 192x192")
            ->check(CLI::IsMember({"small", "resnet18", "resnet50"}));
        app.add_option("--classes", more.classes, "Names of the classes, separated by commas")->delimiter(',');
        program::add_box_options(app, more.boxes);
        app.add_option("--train-set", more.train_set, "List of ImageSets/Main to train on");
        app.add_option("--test-set", more.test_set, "List of ImageSets/Main to test on");
        app.add_option("--images", more.images, "Training scenes; half as many test scenes")->check(CLI::Range(2, 1'000'000));
      });
  return program::run([&] {
    program::check(chosen);
    if (chosen.data == "scenes") {
      program::refuse_typed(chosen, {"--backbone", "--classes", "--class-from", "--objects", "--train-set", "--test-set"},
                            "with --data scenes");
      c2f::data::scenes<64, 3> const data{{.train = more.images, .test = more.images / 2}};
      return train<small, 3, 64>(chosen, data, "scenes");
    }
    program::refuse_typed(chosen, {"--images"}, "without --data scenes");
    if (more.boxes.class_from == "any") program::refuse_typed(chosen, {"--classes"}, "with --class-from any");
    if (more.backbone == "small") return train_with<small>(chosen, more);
    if (more.backbone == "resnet18") return train_with<resnet18>(chosen, more);
    return train_with<resnet50>(chosen, more);
  });
}
