// The compiled tasks for a box a class.
#include "c2f/tasks.hpp"

namespace tool {

namespace {

/// 96 x 96, for machines without a GPU.
struct small {
  static constexpr char const* kind  = "boxes";
  static constexpr char const* name  = "small";
  static constexpr std::int64_t side = 96;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = c2f::localiser<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::boxes<Classes>, 64>;
  };
};
/// 192 x 192, ResNet-18 without its last stage.
struct resnet18 {
  static constexpr char const* kind  = "boxes";
  static constexpr char const* name  = "resnet18";
  static constexpr std::int64_t side = 192;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<Classes>, 256>;
  };
};

using compiled_for = numbers<1, 2, 3, 4>;
using tasks_here   = compiled_tasks<compiled_for, small, resnet18>;

void train(program::options const& chosen, std::string const& network, found_data const& data) {
  if (data.training.any())
    throw c2f::input_error(
        "--mixup, --cutmix, --label-smoothing and --class-weights are for classes, and the data have boxes; leave them out");
  if (data.classes.size() > 4)
    throw c2f::input_error(
        "the data have boxes of " + std::to_string(data.classes.size()) +
        " classes, and this program is compiled for 4 at most, with one box a class; choose some with --classes, or add the "
        "number to examples/c2f/boxes.cpp");
  tasks_here::with("boxes-" + network + '-' + std::to_string(data.classes.size()) + '-' + chosen.variant,
                   [&]<class Task, class Net>(c2f::chosen<Task>, Net) {
                     constexpr std::int64_t classes = c2f::complete<Task>::kind::classes;
                     auto const budget              = std::make_shared<std::atomic<std::int64_t>>(std::int64_t{1} << 31);
                     using split                    = c2f::data::voc_split<classes, Net::side>;
                     auto const augment             = data.training.augmentation({}, Net::side);
                     auto const part = [&](std::size_t i) { return split(part_names[i], data.boxes[i], data.classes, augment, budget); };
                     train_task<Task>(chosen, data, part(0), part(1), part(2), {.resize = c2f::data::resizing::letterbox});
                   });
}

}  // namespace

compiled_kind const& boxes_kind() {
  static compiled_kind const made = tasks_here::kind(&train);
  return made;
}

}  // namespace tool
