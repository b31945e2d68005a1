// The compiled tasks of c2f: network x number of classes x variant of training, by name, and what is done with one of them.
//
// The number of classes of a task is part of its type, and data have any number of them. So tasks are compiled for a few numbers, and data use
// the smallest that is large enough; a layer at the end of the network sets the logits of the others to -1e9. Their probability is then 0 and
// they have no gradient: training and answers are those of a network with as many classes as the data. For boxes, whose truth has a row a class,
// there is a task for each number.
#pragma once

#include "c2f/model.hpp"
#include "common/program.hpp"
#include "common/tasks.hpp"
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/split_identity.hpp>
#include <c2f/print.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace tool {

/// A network whose classes beyond those of the data are never answered; numbers beyond them are 0.
template <class Network>
struct of_used_classes {
  using kind = typename Network::kind;
  template <c2f::shape In>
  struct on {
    using inner  = c2f::network_on<Network, In>;
    using output = typename inner::output;
    inner net;
    c2f::buffer<c2f::initial::ones, output::channels> used;  // 1: a class of the data
    C2F_MEMBERS(net, used);

    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const raw = net(x, m);
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(raw.dim()), 1);
      sizes[1]                  = output::channels;
      constexpr bool of_numbers = requires { kind::dimensions; };
      return raw.masked_fill(used.tensor().eq(0).view(sizes), of_numbers ? 0 : -1e9);
    }
  };
};
/// Marks the first `count` classes as those of the data.
template <class Model>
void use_classes(Model& model, std::int64_t count) {
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor& each, auto const&) {
    if (!path.ends_with(".used")) return;
    at::Tensor const used = each.tensor();
    used.narrow(0, count, used.size(0) - count).zero_();
  });
}

/// A name made of pieces while compiling.
template <std::size_t Size>
struct fixed_text {
  std::array<char, Size> text{};
  std::size_t length = 0;
  constexpr void add(std::string_view piece) {
    for (char const c : piece) text[length++] = c;
  }
  constexpr void add(std::int64_t number) {
    char digits[20]{};
    std::size_t count = 0;
    for (; number > 0 || count == 0; number /= 10) digits[count++] = static_cast<char>('0' + number % 10);
    while (count > 0) text[length++] = digits[--count];
  }
};
/// "classes-resnet18-1000-pt"
template <class Net, std::int64_t Classes, class Variant>
inline constexpr auto task_name = [] {
  fixed_text<64> made;
  made.add(Net::kind);
  made.add("-");
  made.add(Net::name);
  made.add("-");
  made.add(Classes);
  made.add("-");
  made.add(Variant::name);
  return made;
}();

/// The variant of training of a task with the name of all three.
template <class Net, std::int64_t Classes, template <class> class Variant>
struct named : Variant<typename Net::template task<Classes>> {
  static constexpr char const* name = task_name<Net, Classes, Variant<typename Net::template task<Classes>>>.text.data();
};
template <class Net, std::int64_t Classes>
using variants_of = c2f::registry<named<Net, Classes, tasks::bl>, named<Net, Classes, tasks::pt>>;

/// Tasks by name, over all numbers of classes and networks. Calls f(chosen<Task>, Net); false if there is none of that name.
template <class Net, std::int64_t Classes, class F>
bool with_variant(std::string_view name, F const& f) {
  auto const names = variants_of<Net, Classes>::names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return false;
  variants_of<Net, Classes>::with(name, [&]<class Task>(c2f::chosen<Task> task) { f(task, Net{}); });
  return true;
}
template <std::int64_t... Classes>
struct numbers {
  static constexpr std::array<std::int64_t, sizeof...(Classes)> all{Classes...};
  template <class... Nets, class F>
  static void with(std::string_view name, F const& f) {
    bool found        = false;
    auto const of_net = [&]<class Net>(Net) { ((found = found || with_variant<Net, Classes>(name, f)), ...); };
    (of_net(Nets{}), ...);
    if (!found) throw c2f::input_error("no task is called '" + std::string(name) + "'; add it to examples/c2f");
  }
  template <class... Nets>
  static std::vector<std::string> names() {
    std::vector<std::string> made;
    auto const add    = [&](auto const& some) { made.insert(made.end(), some.begin(), some.end()); };
    auto const of_net = [&]<class Net>(Net) { (add(variants_of<Net, Classes>::names()), ...); };
    (of_net(Nets{}), ...);
    return made;
  }
  /// The smallest compiled number of classes that is at least `count`; 0: none.
  static std::int64_t at_least(std::int64_t count) {
    std::int64_t best = 0;
    for (std::int64_t const each : all)
      if (each >= count && (best == 0 || each < best)) best = each;
    return best;
  }
};

template <class Task>
class model_of final : public model {
 public:
  model_of(std::filesystem::path const& folder, c2f::recipe::settings const& machine)
      : held_(c2f::load_model<Task>(folder, {.on = machine.accelerator(), .bf16 = machine.bf16()})) {}
  [[nodiscard]] c2f::model_description const& description() const override { return held_.description(); }
  [[nodiscard]] c2f::data::fitted_picture fitted(c2f::data::picture_bytes const& picture) const override { return held_.fitted(picture); }
  [[nodiscard]] at::Tensor images(std::span<c2f::data::fitted_picture const> pictures) const override { return held_.images_of(pictures); }
  [[nodiscard]] c2f::outputs pass(at::Tensor const& images) override { return held_(images); }
  [[nodiscard]] std::vector<c2f::picture_prediction> answers(c2f::outputs const& found,
                                                             std::span<c2f::data::fitted_picture const> pictures) const override {
    return held_.answers(found, pictures);
  }
  [[nodiscard]] c2f::picture_prediction predict(c2f::data::picture_bytes const& picture, c2f::view_options const& how,
                                                std::int64_t batch) override {
    return held_.predict(picture, how, batch);
  }

 private:
  c2f::loaded_model<Task> held_;
};

/// The tasks of a kind: every network for every number of classes.
template <class Counts, class... Nets>
struct compiled_tasks {
  template <class F>
  static void with(std::string const& name, F const& f) {
    Counts::template with<Nets...>(name, f);
  }
  static compiled_kind kind(decltype(compiled_kind::train) train) {
    return {Counts::template names<Nets...>(),
            {Nets::name...},
            [](std::string const& task, std::filesystem::path const& folder, std::string const& device) {
              std::unique_ptr<model> loaded;
              with(task, [&]<class Task>(c2f::chosen<Task>, auto) {
                loaded = std::make_unique<model_of<Task>>(folder, program::machine_of({.device = device}));
              });
              return loaded;
            },
            [](std::string const& task, std::filesystem::path const& folder) {
              std::string text;
              with(task, [&]<class Task>(c2f::chosen<Task>, auto) {
                c2f::stack<Task> saved;
                static_cast<void>(c2f::load_model_into(saved, folder));
                using input = typename c2f::complete<Task>::input;
                text        = c2f::explain<Task>() + costs_of({.height = input::height,
                                                               .width  = input::width,
                                                               .maps   = c2f::detail::answers_maps<typename c2f::complete<Task>::kind>,
                                                               .pair   = c2f::stack<Task>::has_fine,
                                                               .answer = [&](at::Tensor const& x) { return saved(x, c2f::eval).answer; },
                                                               .coarse = [&](at::Tensor const& x) { return saved.coarse(x, c2f::eval); }});
              });
              return text;
            },
            train};
  }
};

/// Trains a task on train, validation and test, and saves the model into --out. Among the settings in it is how the data were read and split,
/// for evaluate.
template <class Task, class Train, class Split>
void train_task(program::options const& chosen, found_data const& found, Train const& train, Split const& validation, Split const& test,
                c2f::model_description about) {
  if (!chosen.out.empty() && program::first_process()) c2f::detail::check_replaceable(chosen.out / "model");
  c2f::stack<Task> model(chosen.seed);
  use_classes(model, std::ssize(found.classes));
  struct {
    c2f::data::taken<Train> train;
    Split validation, test;
  } const data{c2f::data::take(train, chosen.limit == 0 ? train.size() : std::min(chosen.limit, train.size())), validation, test};
  std::string const title = found.root.lexically_normal().string() + ", " + c2f::complete<Task>::name;
  auto const report       = program::train(model, data, chosen, title);
  if (chosen.out.empty() || report.stopped || !program::first_process()) return;
  about.classes = found.classes;
  about.data    = found.root.lexically_normal().filename().string() + ", " + found.layout;
  std::vector<std::string> kept{"network", "variant", "epochs",  "batch",      "learning-rate", "weight-decay", "patience",
                                "seed",    "kind",    "classes", "validation", "test",          "split-seed"};
  if (found.kind == kind::boxes) kept.insert(kept.end(), {"class-from", "objects"});
  for (auto const& [name, value] : chosen.given)
    if (std::find(kept.begin(), kept.end(), name) != kept.end() && !value.empty()) about.training.emplace_back(name, value);
  about.samples      = data.train.size();
  about.fingerprint  = std::to_string(c2f::data::identity_of(data.train).samples);
  about.palette      = found.palette;
  auto const& scores = report.test.empty() && !report.epochs.empty() ? program::kept_epoch(report).scores : report.test;
  for (auto const& [stage, values] : scores) about.scores.push_back({stage, values});
  c2f::save_model(model, chosen.out / "model", about);
  if (!report.test.empty()) std::printf("test: %s\n", c2f::print::score_line(report.test, report.epochs.back().errors).c_str());
  std::printf("the model is in %s\n", (chosen.out / "model").c_str());
}

}  // namespace tool
