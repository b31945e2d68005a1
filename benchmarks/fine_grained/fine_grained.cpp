// bench_fine_grained SET VARIANT SEED EPOCHS DATA [RATE]: trains one variant of Coarse2Fine from random weights and prints a line of CSV
// for each stage that is scored. run.py trains several and prints the tables of docs/fine-grained.md.
//
//   SET    pets (breeds, 96x96, a keyed fifth of each breed is tested; DATA: images and xmls), pets_held (a fifth of the rest is tested,
//          to choose settings) or cifar (CIFAR-100, its first 20,000 pictures at 32x32; DATA: the binary version)
//   RATE   the learning rate, 0.05 if it is not given
//
// Columns: set,variant,seed,epochs,seconds,stage,top1,top5,box_error,known_error,iou: for pets the error of the box on the pictures that
// have a head box (IoU of at most .5 or a wrong label; IoU alone) and the mean IoU, of the mask for `answer`, of the class activation map
// else. The threshold of a box is chosen of .1, .2, ... .9 by the mean IoU on the training pictures, for each network alike. `seconds` are
// CPU seconds of the training.
#include <c2f/c2f.hpp>
#include <c2f/data/datasets/fine_grained.hpp>
#include <c2f/inference/attended_box.hpp>
#include <c2f/systems/coarse2fine_training.hpp>

#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

using namespace c2f::systems;
using c2f::metrics::box;

struct pets {
  static constexpr std::int64_t classes = 3, side = 96;
  using backbone = c2f::resnet_cifar_features<8, c2f::basic_block, 2>;  // stride 8, 64 channels
};
struct cifar {
  static constexpr std::int64_t classes = 100, side = 32;
  using backbone = c2f::resnet_cifar_features<8>;  // stride 4
};
template <class Set, std::int64_t Length = 10>
using base = coarse2fine<c2f::class_vector<Set::classes>, typename Set::backbone, c2f::image<3, Set::side, Set::side>, 8, c2f::upsampler<2>,
                         1.0, Length>;
/// Pooled features of another length: the inverse of a temperature of the softmax.
template <class Set, std::int64_t Length>
struct of_length : base<Set, Length> {
  static constexpr char const* name = Length == 5 ? "length5" : "length20";
};
/// The coarse network first, with the up-sampler pretrained; then all.
template <class C>
struct staged : C {
  static constexpr char const* name = "staged";
  static constexpr bool in_stages   = true;
};
template <class Set, class C = base<Set>>
using variants = c2f::registry<coarse2fine_plain<C>, coarse2fine_coarse<C>, C, coarse2fine_random<C>, coarse2fine_bilinear<C>,
                               coarse2fine_mean<C>, coarse2fine_dimmed<C>, coarse2fine_zoom<C>, coarse2fine_uncentred<C>,
                               coarse2fine_truth<C>, coarse2fine_progressive<C>, staged<C>, of_length<Set, 5>, of_length<Set, 20>>;

/// Head boxes of a split's pictures, on the canvas; empty where there is none.
template <class Split>
std::vector<box> boxes_of(Split const& split, c2f::data::picture_lists const& lists) {
  std::vector<box> all;
  for (std::int64_t id = 0; id < split.size(); ++id) {
    auto const found = lists.boxes.find(split.name_of(id));
    if (found == lists.boxes.end()) {
      all.emplace_back();
      continue;
    }
    auto const picture = c2f::data::read_picture(lists.root / split.name_of(id), c2f::data::exif::apply);
    all.push_back(c2f::data::picture_place::of(c2f::data::resizing::letterbox, picture.height, picture.width, pets::side, pets::side)
                      .there(found->second));
  }
  return all;
}

/// The maps that boxes are made of, for each stage, and what the stage answers.
struct looked_at {
  std::string stage;
  at::Tensor map;
  std::int64_t label;
};
template <class Task>
std::vector<looked_at> look(c2f::stack<Task> const& model, at::Tensor const& image) {
  c2f::pass p;
  auto const seen     = model(image, p);
  auto const label    = seen.coarse.argmax(1).template item<std::int64_t>();
  at::Tensor const fc = c2f::parameters(model.coarse)[0];
  auto const enlarged = [](at::Tensor const& map) {
    return c2f::resize_bilinear(map.unsqueeze(0).unsqueeze(0), pets::side, pets::side)[0][0];
  };
  if constexpr (requires { model.share.layers; }) {
    at::Tensor const features = std::get<0>(model.share.layers)(image, c2f::eval)[0], maps = p.output("coarse.attention")[0];
    // The weight of row m for a class weighs the features where map m is.
    at::Tensor const weight = fc[label].view({maps.size(0), features.size(0)});
    at::Tensor const cam    = weight.matmul(features.flatten(1)).view(maps.sizes()).mul(maps).sum(0);
    std::vector<looked_at> all{{"coarse", enlarged(cam), label}};
    if (seen.fine.defined()) all.push_back({"answer", p.output("mask")[0][0], seen.answer.argmax(1).template item<std::int64_t>()});
    return all;
  } else {
    return {{"coarse", enlarged(c2f::class_activation(model.share(image, c2f::eval)[0], fc, label)), label}};
  }
}

struct box_scores {
  double error = 0, known = 0, iou = 0;
};
template <class Task, class Split>
std::map<std::string, box_scores> score_boxes(c2f::stack<Task> const& model, Split const& train, Split const& test,
                                              c2f::data::picture_lists const& lists) {
  at::NoGradGuard const no_gradients;
  std::map<std::string, box_scores> made;
  std::map<std::string, double> threshold;
  for (auto const* split : {&train, &test}) {
    auto const truths = boxes_of(*split, lists);
    std::map<std::string, std::array<double, 10>> sums;
    std::map<std::string, box_scores> scores;
    double count = 0;
    for (std::int64_t id = 0; id < split->size(); ++id) {
      if (truths[static_cast<std::size_t>(id)].area() == 0) continue;
      at::Tensor image =
          at::empty({1, 3, pets::side, pets::side}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
      std::int64_t truth = 0;
      split->read(id, nullptr, image.mutable_data_ptr<float>(), &truth);
      ++count;
      for (auto const& [stage, map, label] : look(model, image)) {
        auto const iou_at = [&](double cut) {
          return c2f::metrics::iou(c2f::attended_box(map, {.kernel = 9, .threshold = cut}), truths[static_cast<std::size_t>(id)]);
        };
        if (split == &train) {
          for (int i = 1; i < 10; ++i) sums[stage][static_cast<std::size_t>(i)] += iou_at(i / 10.0);
        } else {
          double const iou = iou_at(threshold[stage]);
          scores[stage].iou += iou, scores[stage].known += iou <= .5, scores[stage].error += iou <= .5 || label != truth;
        }
      }
    }
    for (auto const& [stage, each] : sums)
      threshold[stage] = static_cast<double>(std::max_element(each.begin(), each.end()) - each.begin()) / 10;
    for (auto const& [stage, each] : scores) made[stage] = {each.error / count, each.known / count, each.iou / count};
  }
  return made;
}

template <class Task, class Data, class Test, class Boxes>
void train(c2f::stack<Task>& model, Data const& data, Test const& test, std::string const& set, std::uint64_t seed, std::int64_t epochs,
           double rate, Boxes const& boxes) {
  auto recipe = coarse2fine_scratch_recipe{}.epochs(epochs).seed(seed).threads(0).learning_rate(rate);
  if (set != "cifar") recipe.batch(32);
  struct {
    decltype(data.train) const& train;
    c2f::data::taken<Test> test;
  } const seen{data.train, c2f::data::take(test, 1)};  // scored at the end alone
  auto const begin = std::clock();
  if constexpr (requires { requires Task::in_stages; })
    fit_coarse2fine(model, seen, {.upsampler = upsampler_recipe{}.epochs(2).threads(0), .coarse = recipe, .joint = recipe});
  else
    c2f::fit(model, seen, recipe);
  double const seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  auto const found     = boxes(model);
  for (auto const& [stage, values] : c2f::evaluate(model, test, recipe)) {
    std::printf("%s,%s,%llu,%lld,%.1f,%s", set.c_str(), Task::name, static_cast<unsigned long long>(seed), static_cast<long long>(epochs),
                seconds, stage.c_str());
    for (auto const& [name, value] : values) std::printf(",%.2f", 100 * value);
    auto const of = found.find(stage);
    if (of == found.end())
      std::printf(",,,\n");
    else
      std::printf(",%.2f,%.2f,%.4f\n", 100 * of->second.error, 100 * of->second.known, of->second.iou);
  }
}

}  // namespace

int main(int argc, char** argv) {
  c2f::keep_memory();
  try {
    if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
      for (auto const name : variants<pets>::names()) std::printf("%s\n", std::string(name).c_str());
      return 0;
    }
    if (argc != 6 && argc != 7)
      throw c2f::input_error("usage: bench_fine_grained pets|pets_held|cifar VARIANT SEED EPOCHS DATA [RATE], or --list");
    std::string const set(argv[1]);
    auto const number = [](std::string const& word, char const* what) {
      if (word.empty() || word.size() > 18 || word.find_first_not_of("0123456789") != std::string::npos)
        throw c2f::input_error(std::string(what) + " is '" + word + "'; write a number");
      return std::stoull(word);
    };
    auto const seed   = number(argv[3], "the seed");
    auto const epochs = static_cast<std::int64_t>(number(argv[4], "the number of epochs"));
    double rate       = 0.05;
    if (argc == 7)
      if (char* end = nullptr; (rate = std::strtod(argv[6], &end), *end != '\0' || !(rate > 0)))
        throw c2f::input_error(std::string("the learning rate is '") + argv[6] + "'; write a number above 0");
    if (set == "cifar") {
      c2f::data::cifar100 const whole(argv[5]);
      struct {
        c2f::data::taken<std::remove_cvref_t<decltype(whole.train)>> train;
      } const data{c2f::data::take(whole.train, 20'000)};
      variants<cifar>::with(argv[2], [&]<class Task>(c2f::chosen<Task>) {
        c2f::stack<Task> model(seed);
        train(model, data, whole.test, set, seed, epochs, rate, [](auto const&) { return std::map<std::string, box_scores>(); });
      });
      return 0;
    }
    if (set != "pets" && set != "pets_held") throw c2f::input_error("the set is '" + set + "'; write pets, pets_held or cifar");
    auto lists = c2f::data::read_pets(argv[5], {.validation = set == "pets" ? 0 : 0.2});
    c2f::data::class_folders<pets::side> const data({.root = lists.root, .resize = c2f::data::resizing::letterbox}, lists);
    auto const& test = set == "pets" ? data.test : data.validation;
    variants<pets>::with(argv[2], [&]<class Task>(c2f::chosen<Task>) {
      c2f::stack<Task> model(seed);
      train(model, data, test, set, seed, epochs, rate, [&](auto const& trained) { return score_boxes(trained, data.train, test, lists); });
    });
    return 0;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
