// The compiled tasks for a class a pixel.
#include "c2f/tasks.hpp"

namespace tool {

namespace {

/// 128 x 128, a U-Net for machines without a GPU.
struct small {
  static constexpr char const* kind  = "masks";
  static constexpr char const* name  = "small";
  static constexpr std::int64_t side = 128;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<c2f::unet<4, 8, c2f::dense<Classes>>>;
  };
};
/// 256 x 256, an FCN on ResNet-18 without its last stage.
struct resnet18 {
  static constexpr char const* kind  = "masks";
  static constexpr char const* name  = "resnet18";
  static constexpr std::int64_t side = 256;
  template <std::int64_t Classes>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<c2f::fcn<c2f::resnet_features<18, 3>, c2f::dense<Classes>>>;
  };
};

using compiled_for = numbers<2, 12, 150>;
using tasks_here   = compiled_tasks<compiled_for, small, resnet18>;

/// Every byte that a table has, as --mask-values says it.
std::string words_of(c2f::data::mask_table const& table) {
  std::string words;
  for (int byte = 0; byte < 256; ++byte)
    if (int const label = table.label(static_cast<std::uint8_t>(byte)); label >= 0)
      words += (words.empty() ? "" : ",") + std::to_string(byte) + '=' +
               (label == c2f::data::mask_table::ignored_label ? "ignore" : table.names()[static_cast<std::size_t>(label)]);
  return words;
}

void train(program::options const& chosen, std::string const& network, found_data const& data) {
  if (data.training.any())
    throw c2f::input_error(
        "--mixup, --cutmix, --label-smoothing and --class-weights are for classes, and the data have masks; leave them out");
  std::int64_t const classes = compiled_for::at_least(std::ssize(data.classes));
  if (classes == 0)
    throw c2f::input_error("the masks have " + std::to_string(data.classes.size()) +
                           " classes, and this program is compiled for 150 at most; add the number to examples/c2f/masks.cpp");
  tasks_here::with("masks-" + network + '-' + std::to_string(classes) + '-' + chosen.variant, [&]<class Task, class Net>(c2f::chosen<Task>,
                                                                                                                         Net) {
    auto const budget = std::make_shared<std::atomic<std::int64_t>>(std::int64_t{1} << 31);
    using split       = c2f::data::masked_pictures<Net::side>;
    auto const part   = [&](std::size_t i) {
      return split(part_names[i], data.mask_names[i], data.decode_masked[i], data.table, data.training.augmentation({}, Net::side), budget);
    };
    train_task<Task>(chosen, data, part(0), part(1), part(2),
                     {.resize      = c2f::data::resizing::letterbox,
                      .mask_values = data.table.values(),
                      .training    = {{"mask-values", words_of(data.table)}}});
  });
}

}  // namespace

compiled_kind const& masks_kind() {
  static compiled_kind const made = tasks_here::kind(&train);
  return made;
}

}  // namespace tool
