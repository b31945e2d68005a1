// The compiled tasks for a class a picture.
#include "c2f/tasks.hpp"

#include <c2f/data/mixed.hpp>

namespace tool {

namespace {

/// 32 x 32, the ResNet-20 of He et al. 2016 for CIFAR.
struct cifar {
  static constexpr char const* kind         = "classes";
  static constexpr char const* name         = "cifar";
  static constexpr std::int64_t side        = 32;
  static constexpr c2f::data::resizing rule = c2f::data::resizing::crop;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<c2f::resnet_cifar<20, c2f::class_vector<Classes>>>;
  };
};
/// 96 x 96 at a quarter of the cost of a photograph's usual size, for machines without a GPU.
struct small {
  static constexpr char const* kind         = "classes";
  static constexpr char const* name         = "small";
  static constexpr std::int64_t side        = 96;
  static constexpr c2f::data::resizing rule = c2f::data::resizing::crop;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<c2f::predicts<c2f::class_vector<Classes>, c2f::resnet_cifar_features<20, c2f::basic_block, 2>,
                                                  c2f::global_average_pool, c2f::linear<Classes>>>;
  };
};
/// 224 x 224, ResNet-18.
struct resnet18 {
  static constexpr char const* kind         = "classes";
  static constexpr char const* name         = "resnet18";
  static constexpr std::int64_t side        = 224;
  static constexpr c2f::data::resizing rule = c2f::data::resizing::crop;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<c2f::resnet<18, c2f::class_vector<Classes>>>;
  };
};

using compiled_for = numbers<10, 1000>;
using tasks_here   = compiled_tasks<compiled_for, cifar, small, resnet18>;

void train(program::options const& chosen, std::string const& network, found_data const& data) {
  std::int64_t const classes = compiled_for::at_least(std::ssize(data.classes));
  if (classes == 0)
    throw c2f::input_error("the data have " + std::to_string(data.classes.size()) +
                           " classes, and this program is compiled for 1000 at most; add the number to examples/c2f/classes.cpp");
  tasks_here::with(
      "classes-" + network + '-' + std::to_string(classes) + '-' + chosen.variant, [&]<class Task, class Net>(c2f::chosen<Task>, Net) {
        auto const budget                     = std::make_shared<std::atomic<std::int64_t>>(std::int64_t{1} << 31);
        c2f::data::augmentation const augment = data.training.augmentation(
            Net::side == 32 ? c2f::data::augmentation{.flip = true, .scale = 0, .shift = .125, .gain = 0} : c2f::data::augmentation{},
            Net::side);
        using split     = c2f::data::classified_pictures<Net::side>;
        auto const part = [&](std::size_t i) {
          return split(part_names[i], data.classified[i], data.classes, data.decode_classified[i], Net::rule, augment, budget);
        };
        if (!data.training.any()) return train_task<Task>(chosen, data, part(0), part(1), part(2), {.resize = Net::rule});
        constexpr std::int64_t compiled = c2f::complete<Task>::kind::classes;
        auto const& how                 = data.training;
        split const plain               = part(0);
        c2f::data::mixing const mix{
            .mixup     = how.mixup,
            .cutmix    = how.cutmix,
            .smoothing = how.smoothing,
            .classes   = std::ssize(data.classes),
            .weights = how.class_weights == "none" ? std::vector<double>() : c2f::data::balanced_weights(plain, std::ssize(data.classes))};
        train_task<Task>(chosen, data, c2f::data::mixed<compiled>(plain, mix), part(1), part(2), {.resize = Net::rule});
      });
}

}  // namespace

compiled_kind const& classes_kind() {
  static compiled_kind const made = tasks_here::kind(&train);
  return made;
}

}  // namespace tool
