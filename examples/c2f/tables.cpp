// The compiled tasks for attributes and for numbers. Columns beyond those of the data are unknown in every truth.
#include "c2f/tasks.hpp"

#include <c2f/kinds/multi_label.hpp>
#include <c2f/kinds/regression.hpp>

namespace tool {

namespace {

template <std::int64_t Count>
using attributes_of = c2f::multi_label<Count>;
template <std::int64_t Count>
using numbers_of = c2f::regression<Count>;

/// 96 x 96, for machines without a GPU.
template <template <std::int64_t> class Kind>
struct small {
  static constexpr bool of_numbers          = std::same_as<Kind<1>, c2f::regression<1>>;
  static constexpr char const* kind         = of_numbers ? "numbers" : "attributes";
  static constexpr char const* name         = "small";
  static constexpr std::int64_t side        = 96;
  static constexpr c2f::data::resizing rule = c2f::data::resizing::crop;
  template <std::int64_t Count>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<
        c2f::predicts<Kind<Count>, c2f::resnet_cifar_features<20, c2f::basic_block, 2>, c2f::global_average_pool, c2f::linear<Count>>>;
  };
};
/// 224 x 224, ResNet-18.
template <template <std::int64_t> class Kind>
struct resnet18 : small<Kind> {
  static constexpr char const* name  = "resnet18";
  static constexpr std::int64_t side = 224;
  template <std::int64_t Count>
  struct task {
    using input   = c2f::image<3, side, side>;
    using network = of_used_classes<c2f::resnet<18, Kind<Count>>>;
  };
};

template <template <std::int64_t> class Kind, class Counts>
struct tables {
  using tasks_here = compiled_tasks<Counts, small<Kind>, resnet18<Kind>>;

  static void train(program::options const& chosen, std::string const& network, found_data const& data) {
    constexpr bool of_numbers = small<Kind>::of_numbers;
    std::int64_t const most   = Counts::all.back();
    if (data.training.any())
      throw c2f::input_error(
          "--mixup, --cutmix, --label-smoothing and --class-weights are for classes, and the data are a table; leave them out");
    if (std::ssize(data.classes) > most)
      throw c2f::input_error("the table has " + std::to_string(data.classes.size()) + " columns, and this program is compiled for " +
                             std::to_string(most) + " at most; take some out, or add the number to examples/c2f/tables.cpp");
    tasks_here::with(std::string(small<Kind>::kind) + '-' + network + '-' + std::to_string(most) + '-' + chosen.variant,
                     [&]<class Task, class Net>(c2f::chosen<Task>, Net) {
                       auto const budget  = std::make_shared<std::atomic<std::int64_t>>(std::int64_t{1} << 31);
                       auto const augment = data.training.augmentation({}, Net::side);
                       auto const units =
                           of_numbers ? c2f::data::units_of(data.rows[0], data.classes.size()) : std::vector<c2f::data::column_unit>();
                       using split     = c2f::data::tabled_pictures<Counts::all.back(), Net::side>;
                       auto const part = [&](std::size_t i) {
                         return split(part_names[i], data.pictures, data.rows[i], data.classes, units, Net::rule, augment, budget);
                       };
                       c2f::model_description about{.resize = Net::rule};
                       for (auto const& [mean, deviation] : units)
                         about.units.push_back({static_cast<double>(mean), static_cast<double>(deviation)});
                       train_task<Task>(chosen, data, part(0), part(1), part(2), about);
                     });
  }
};

}  // namespace

compiled_kind const& attributes_kind() {
  using here                      = tables<attributes_of, numbers<80>>;
  static compiled_kind const made = here::tasks_here::kind(&here::train);
  return made;
}
compiled_kind const& numbers_kind() {
  using here                      = tables<numbers_of, numbers<8>>;
  static compiled_kind const made = here::tasks_here::kind(&here::train);
  return made;
}

}  // namespace tool
