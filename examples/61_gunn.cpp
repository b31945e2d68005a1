// Image classification by gradually updated networks: GUNN, its twin whose channels are updated all at once (SUNN), GUNN without the
// identity, a ResNet of as many parameters, and GUNN as coarse and fine network of a stack (docs/gunn.md).
//
//   61_gunn --data DIR --set cifar10 --variant gunn --epochs 300 --out runs/gunn
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/networks/gunn.hpp>

#include <CLI/CLI.hpp>

namespace {

using in_turn     = c2f::update::gradual;
using at_once     = c2f::update::simultaneous;
// The unit of GUNN-15, with and without the identity.
using unit        = c2f::gunn15_unit;
using no_identity = c2f::gunn_unit<2, 1, c2f::shortcut::per_unit, false>;

/// The networks of the paper, and ResNet-104.
struct gunn15 {
  template <class Kind, class Unit, class Update>
  using updated = c2f::gunn15<Kind, Unit, Update>;
  template <class Kind>
  using resnet = c2f::resnet_cifar<104, Kind>;
};
/// For machines without a GPU: groups of 12 channels as in GUNN-15, 4 of them at 16x16 and 8 at 8x8.
struct small {
  template <class Kind, class Unit, class Update>
  using updated = c2f::predicts<Kind, c2f::conv<16, 3, 2>, c2f::batch_norm, c2f::relu, c2f::gunn_stage<48, 4, 1, Unit, Update>,
                                c2f::gunn_stage<96, 8, 2, Unit, Update>, c2f::conv<96, 1>, c2f::batch_norm, c2f::relu,
                                c2f::global_average_pool, c2f::linear<Kind::classes>>;
  template <class Kind>
  using resnet =
      c2f::predicts<Kind, c2f::conv<16, 3, 2>, c2f::batch_norm, c2f::relu, c2f::repeat<2, c2f::basic_block<24>>,
                    c2f::repeat<2, c2f::basic_block<56, 2>, c2f::basic_block<56>>, c2f::global_average_pool, c2f::linear<Kind::classes>>;
};

template <class Network>
struct classifier {
  static constexpr char const* name = "classifier";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = Network;
  using refine                      = c2f::refine::no_fine_network;
};
template <class Network>
struct coarse_to_fine {
  static constexpr char const* name = "coarse_to_fine";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = Network;
};

// Of equal size: within 3 %.
template <class Size, int Classes>
constexpr double parameters_to_resnet() {
  using kind  = c2f::class_vector<Classes>;
  using input = c2f::image<3, 32, 32>;
  return static_cast<double>(c2f::parameter_count<c2f::network_on<typename Size::template updated<kind, unit, in_turn>, input>>) /
         static_cast<double>(c2f::parameter_count<c2f::network_on<typename Size::template resnet<kind>, input>>);
}
static_assert(parameters_to_resnet<small, 20>() > 0.99 && parameters_to_resnet<small, 20>() < 1.01);
static_assert(parameters_to_resnet<gunn15, 100>() > 0.97 && parameters_to_resnet<gunn15, 100>() < 1.03);

template <class Task, class Data>
void train_task(Data const& data, program::options const& chosen, std::string const& title) {
  c2f::stack<Task> model(chosen.seed);
  auto const recipe = program::recipe_of(chosen).no_milestones().milestone(0.5).milestone(0.75);  // epochs 150 and 225 of 300
  program::train(model, program::limited(data, chosen), chosen, title, recipe);
}

template <class Size, int Classes, class Data>
void train(Data const& data, program::options const& chosen, std::string const& title) {
  using kind = c2f::class_vector<Classes>;
  if (chosen.variant == "gunn")
    train_task<classifier<typename Size::template updated<kind, unit, in_turn>>>(data, chosen, title);
  else if (chosen.variant == "sunn")
    train_task<classifier<typename Size::template updated<kind, unit, at_once>>>(data, chosen, title);
  else if (chosen.variant == "no_residual")
    train_task<classifier<typename Size::template updated<kind, no_identity, in_turn>>>(data, chosen, title);
  else if (chosen.variant == "resnet")
    train_task<classifier<typename Size::template resnet<kind>>>(data, chosen, title);
  else
    train_task<coarse_to_fine<typename Size::template updated<kind, unit, in_turn>>>(data, chosen, title);
}

}  // namespace

int main(int argc, char** argv) {
  std::string set   = "small";
  auto const chosen = program::read_options(
      argc, argv, "Trains gradually updated networks and their rivals on CIFAR and scores them on its test pictures.",
      {"gunn", "sunn", "no_residual", "resnet", "coarse_to_fine"}, {.variant = "gunn", .epochs = 300, .batch = 64}, [&](CLI::App& app) {
        app.add_option("--set", set,
                       "cifar10, cifar100: networks of 1.6 million parameters; small: of 119,000, on the 20 coarse classes of CIFAR-100")
            ->check(CLI::IsMember({"small", "cifar10", "cifar100"}));
      });
  return program::run([&] {
    program::check(chosen);
    std::string const title = set + ", " + chosen.variant;
    if (set == "small")
      train<small, 20>(c2f::data::cifar100_coarse(chosen.data), chosen, title);
    else if (set == "cifar10")
      train<gunn15, 10>(c2f::data::cifar10(chosen.data), chosen, title);
    else
      train<gunn15, 100>(c2f::data::cifar100(chosen.data), chosen, title);
  });
}
