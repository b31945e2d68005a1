// Neural rejuvenation on CIFAR: dead channels are taken out of a network and others given, under a budget (docs/rejuvenation.md).
//
//   62_rejuvenation --data DIR --variant br --budget 0.5 --target 0.25 --epochs 300 --out runs/br
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/draw/plot.hpp>
#include <c2f/inference/model_folder.hpp>
#include <c2f/networks/vgg_norm.hpp>
#include <c2f/systems/rejuvenation.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>

namespace {

using c2f::systems::channel_record;

struct settings {
  std::string set = "cifar100", network = "small", count = "parameters";
  std::optional<double> typed_target{}, typed_budget{};
  double lambda = 0, lambda_step = 5e-5;
  std::int64_t sparse_epochs = 80, times = 1;
  [[nodiscard]] double budget(std::string const& variant) const { return typed_budget.value_or(variant == "half" ? 0.5 : 1); }
  [[nodiscard]] double target(std::string const& variant) const { return typed_target.value_or(std::min(0.5, budget(variant))); }
};

template <std::int64_t Classes>
struct small {
  static constexpr char const* name = "rejuvenation-small";
  using input                       = c2f::image<3, 32, 32>;
  using kind                        = c2f::class_vector<Classes>;
  using network = c2f::norm_vgg<kind, c2f::vgg_layers<32, c2f::vgg_pool, 32, 64, c2f::vgg_pool, 64, 128, c2f::vgg_pool, 128>>;
  using refine  = c2f::refine::no_fine_network;
};
template <std::int64_t Classes>
struct vgg19 : small<Classes> {
  static constexpr char const* name = "rejuvenation-vgg19";
  using network                     = c2f::vgg19_cifar<c2f::class_vector<Classes>>;
};
/// A coarse and a fine network, which share one budget.
template <std::int64_t Classes>
struct pair : small<Classes> {
  static constexpr char const* name = "rejuvenation-pair";
  using refine                      = c2f::refine::once;
  using schedule                    = c2f::schedule::ramp<0.5, 98.0 / 164, c2f::by::fraction>;
};

/// The network of a norm, where there are several: "coarse", "fine".
std::string part_of(std::string const& path) { return path.substr(0, path.find('.')); }

/// Keeps the channels of every moment in --out: channels.json and channels.png.
struct channel_files {
  channel_files(program::options const& chosen, std::string title) : out_(chosen.out), title_(std::move(title)) {
    if (!chosen.resume || out_.empty()) return;
    std::ifstream file(out_ / "channels.json");
    auto const known = nlohmann::json::parse(file, nullptr, false);
    if (known.is_array())
      for (auto const& each : known)
        if (is_record(each)) add(record_of(each));
  }
  void on_channels(channel_record const& record) {
    add(record);
    if (out_.empty() || !program::first_process()) return;
    program::prepare_folder(out_);
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (auto const& each : records_) {
      nlohmann::ordered_json norms = nlohmann::ordered_json::array();
      for (auto const& norm : each.norms)
        if (norm.free) norms.push_back({norm.path, norm.before, norm.living, norm.after});
      all.push_back(
          {{"stage", each.stage}, {"epoch", each.epoch}, {"lambda", each.lambda}, {"utilisation", each.utilisation}, {"norms", norms}});
    }
    program::write_json(out_ / "channels.json", all);
    draw().write_png(out_ / "channels.png");
  }
  static void on_start(c2f::training_start const&) {}

 private:
  static bool is_record(nlohmann::json const& from) {
    auto const has = [&](char const* name, bool (nlohmann::json::*is)() const noexcept) {
      return from.contains(name) && (from[name].*is)();
    };
    using json = nlohmann::json;
    return from.is_object() && has("stage", &json::is_string) && has("epoch", &json::is_number_integer) &&
           has("lambda", &json::is_number) && has("utilisation", &json::is_number);
  }
  static channel_record record_of(nlohmann::json const& from) {
    channel_record made{
        from.value("stage", ""), from.value("epoch", std::int64_t{0}), from.value("lambda", 0.0), from.value("utilisation", 1.0), {}};
    if (auto const norms = from.find("norms"); norms != from.end() && norms->is_array())
      for (auto const& each : *norms)
        if (each.is_array() && each.size() == 4 && each[0].is_string() && each[1].is_number_integer() && each[2].is_number_integer() &&
            each[3].is_number_integer())
          made.norms.push_back(
              {each[0].get<std::string>(), true, each[1].get<std::int64_t>(), each[2].get<std::int64_t>(), 0, each[3].get<std::int64_t>()});
    return made;
  }
  void add(channel_record const& record) {
    auto const same = std::find_if(records_.begin(), records_.end(),
                                   [&](auto const& each) { return each.stage == record.stage && each.epoch == record.epoch; });
    if (same != records_.end())
      *same = record;
    else
      records_.push_back(record);
  }
  /// For each norm a group of bars, a bar for each moment: grey all channels, blue the living ones, orange those after a surgery.
  [[nodiscard]] c2f::data::canvas draw() const {
    std::vector<std::string> paths;
    std::int64_t most = 1;
    for (auto const& norm : records_.back().norms)
      if (norm.free) paths.push_back(norm.path);
    for (auto const& record : records_)
      for (auto const& norm : record.norms)
        if (norm.free) most = std::max({most, norm.before, norm.after});
    int const moments = static_cast<int>(std::min<std::size_t>(records_.size(), 30)), bar = 5, gap = 12, height = 220, top = 40;
    std::string const heading = title_ + ": channels of each norm, epoch by epoch";
    int const group = moments * bar + gap, needed = 20 + static_cast<int>(c2f::data::canvas::text_width(heading, 1.5));
    int const width = std::max(needed, 60 + group * static_cast<int>(paths.size()));
    c2f::data::canvas picture(std::min(width, c2f::data::canvas::largest_side), height + top + 40);
    c2f::data::colour const black{40, 40, 40}, grey{220, 220, 220};
    picture.text(10, 10, heading, black, 1.5);
    picture.text(4, top, std::to_string(most), black, 1.2);
    picture.text(4, top + height - 8, "0", black, 1.2);
    auto const draw_bar = [&](int x, std::int64_t count, c2f::data::colour tint) {
      int const tall = static_cast<int>(count * height / most);
      picture.rectangle(x, top + height - tall, bar - 1, tall, tint);
    };
    for (std::size_t n = 0; n < paths.size(); ++n) {
      int const left = 50 + static_cast<int>(n) * group;
      for (int m = 0; m < moments; ++m) {
        auto const& record = records_[records_.size() - static_cast<std::size_t>(moments - m)];
        for (auto const& norm : record.norms) {
          if (norm.path != paths[n]) continue;
          bool const surgery = record.stage.starts_with("surgery");
          draw_bar(left + m * bar, surgery ? norm.after : norm.before, surgery ? c2f::data::palette[1] : grey);
          draw_bar(left + m * bar, norm.living, c2f::data::palette[0]);
        }
      }
      picture.text(left, top + height + 8, std::to_string(n + 1), black, 1.2);
    }
    return picture;
  }

  std::filesystem::path out_;
  std::string title_;
  std::vector<channel_record> records_;
};

template <class Task, class Data>
void run(Data const& whole, program::options const& chosen, settings const& with) {
  auto const data         = program::limited(whole, chosen);
  auto const counted      = with.count == "parameters" ? c2f::resource::parameters : c2f::resource::multiply_adds;
  std::string const title = with.set + ", " + with.network + ", " + chosen.variant;
  auto const recipe       = program::recipe_of(chosen).no_milestones().milestone(0.5).milestone(0.75);  // epochs 150 and 225 of 300
  c2f::stack<Task> model(chosen.seed);
  double const full = c2f::channels_of(model).cost(counted);
  nlohmann::ordered_json found;
  c2f::training_report report;
  if (chosen.variant == "full" || chosen.variant == "half") {
    if (chosen.variant == "half")
      c2f::scale_widths(model, c2f::channels_of(model), with.budget(chosen.variant) * full, counted, chosen.seed);
    report = program::train(model, data, chosen, title, recipe);
  } else {
    bool const br    = chosen.variant == "br" || chosen.variant == "ca_br" || chosen.variant == "cr_br";
    auto const cross = chosen.variant.starts_with("cr")   ? c2f::cross_connections::none
                       : chosen.variant.starts_with("ca") ? c2f::cross_connections::attention
                                                          : c2f::cross_connections::kept;
    c2f::systems::rejuvenation_options how{.sparse       = c2f::recipe::settings(recipe).no_milestones().epochs(with.sparse_epochs),
                                           .dense        = recipe,
                                           .target       = with.target(chosen.variant),
                                           .budget       = with.budget(chosen.variant),
                                           .lambda       = {},
                                           .lambda_step  = with.lambda_step,
                                           .times        = with.times,
                                           .from_scratch = chosen.variant == "fs",
                                           .equal_epochs = chosen.variant != "fs",
                                           .surgery      = {.counted = counted, .rescale = br, .cross = cross}};
    if (with.lambda > 0) how.lambda = with.lambda;
    c2f::interrupt on_ctrl_c;
    c2f::print::progress_bar bar(c2f::print::progress_bar::elsewhere::lines);
    program::kept_files files(chosen);
    channel_files channels(chosen, title);
    nlohmann::ordered_json surgeries = nlohmann::ordered_json::array();
    struct {
      std::function<void(c2f::stack<Task> const&, c2f::surgery_report const&, double)> call;
      double before = 0;  // top-1 of the last epoch
      void on_surgery(c2f::stack<Task> const& of, c2f::surgery_report const& done) const { call(of, done, before); }
      void on_epoch(c2f::epoch_record const& epoch) { before = epoch.scores.back().values.front().second; }
      void on_resume(c2f::training_report const& until) {
        if (!until.epochs.empty()) on_epoch(until.epochs.back());
      }
    } after{[&](c2f::stack<Task> const& of, c2f::surgery_report const& done, double before) {
      double const top1 = c2f::evaluate(of, data.test, recipe).back().values.front().second;
      std::printf("surgery: r %.3f, target %.3f, %.0f of %.0f live, growth %.3f, now %.0f; top1 %.2f %%, before %.2f %%\n",
                  done.utilisation, how.target, done.cost_living, done.cost_before, done.growth, done.cost_after, 100 * top1, 100 * before);
      surgeries.push_back({{"utilisation", done.utilisation},
                           {"growth", done.growth},
                           {"before", done.cost_before},
                           {"living", done.cost_living},
                           {"budget", done.budget},
                           {"after", done.cost_after},
                           {"top1_before", before},
                           {"top1_after", top1}});
    }};
    auto all           = c2f::systems::fit_rejuvenated(model, data, how, bar, on_ctrl_c, files, channels, after);
    found["surgeries"] = surgeries;
    found["reached"]   = all.reached;
    if (!all.reached)
      std::printf("a sparse stage ended above the target; give it more --sparse-epochs, or a larger --lambda or --lambda-step\n");
    std::vector<c2f::epoch_record> epochs;
    nlohmann::ordered_json stages = nlohmann::ordered_json::array();
    for (auto& each : all.trainings) {
      stages.push_back(each.epochs.size());
      for (auto epoch : each.epochs) epoch.epoch = std::ssize(epochs), epochs.push_back(std::move(epoch));
    }
    found["epochs_of_stages"] = stages;
    report                    = std::move(all.trainings.back());
    report.epochs             = std::move(epochs);
    report.stopped            = all.stopped;
    report.start.epochs       = std::ssize(report.epochs);
    if (!chosen.out.empty() && program::first_process()) {
      program::write_summary(chosen.out, chosen, report, program::scored_name<decltype(data)>);
      program::write_curve(chosen.out, title, report, program::scored_name<decltype(data)>);
    }
    program::print_report(report, program::scored_name<decltype(data)>);
    program::check_scores(report);
    if (report.stopped) return;
  }
  c2f::move_to(model, at::kCPU);
  auto const graph = c2f::channels_of(model);
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> parts;  // living and all channels that may change, by network
  auto const living = graph.living(0.01);
  for (std::size_t n = 0; n < graph.norms().size(); ++n) {
    if (!graph.norms()[n].free) continue;
    auto& [live, count] = parts[part_of(graph.norms()[n].path)];
    live += std::count(living[n].begin(), living[n].end(), true), count += graph.channels(n);
  }
  found["parameters"]    = c2f::count_parameters(model);
  found["multiply_adds"] = graph.cost(c2f::resource::multiply_adds);
  std::printf("parameters %ld, multiply-adds of a picture %.0f\n", static_cast<long>(c2f::count_parameters(model)),
              graph.cost(c2f::resource::multiply_adds));
  for (auto const& [part, count] : parts) {
    found["channels"][part] = count.second;
    if (parts.size() > 1)
      std::printf("%s: %ld channels, %ld of them live\n", part.c_str(), static_cast<long>(count.second), static_cast<long>(count.first));
  }
  if (chosen.out.empty() || !program::first_process()) return;
  program::write_json(chosen.out / "rejuvenation.json", found);
  c2f::save_model(model, chosen.out / "model", {.classes = whole.train.classes()});
}

}  // namespace

int main(int argc, char** argv) {
  settings with;
  auto const chosen = program::read_options(
      argc, argv, "Trains a network whose dead channels are replaced, or one of the networks to compare it with: top-1, top-5.",
      {"full", "half", "nr", "cr", "ca", "br", "cr_br", "ca_br", "fs"}, {.variant = "br", .epochs = 300, .batch = 64}, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of CIFAR-100 or CIFAR-10 (binary)");
        app.get_option("--variant")
            ->description(
                "full: no rejuvenation; half: the widths scaled to --budget, from scratch; nr: rejuvenation; cr: without "
                "cross-connections; ca: with "
                "cross attention; br: with rescaling; fs: the found widths from scratch");
        app.get_option("--epochs")->description("Passes over the training images, of all stages together; of fs of its last stage");
        app.add_option("--set", with.set, "Pictures")->check(CLI::IsMember({"cifar10", "cifar100"}));
        app.add_option("--network", with.network, "small: seven layers, cifar100; vgg19; pair: a coarse and a fine small network")
            ->check(CLI::IsMember({"small", "vgg19", "pair"}));
        app.add_option("--count", with.count, "What is counted")->check(CLI::IsMember({"parameters", "multiply_adds"}));
        app.add_option("--target", with.typed_target, "Utilisation below which channels are replaced; .5, or --budget if that is less")
            ->check(program::in_range(1e-6, 1));
        app.add_option("--budget", with.typed_budget, "Cost after it, as a part of the full network's; 1, and .5 of half")
            ->check(program::in_range(1e-6, 100));
        app.add_option("--lambda", with.lambda, "Weight of the norms' L1 loss; 0: searched")->check(program::in_range(0, 1e3));
        app.add_option("--lambda-step", with.lambda_step, "Step of the search")->check(program::in_range(1e-9, 1e3));
        app.add_option("--sparse-epochs", with.sparse_epochs, "Most epochs of a sparse stage; 80")->check(CLI::Range(1, 100'000));
        app.add_option("--times", with.times, "How often channels are replaced")->check(CLI::Range(1, 100));
      });
  return program::run([&] {
    program::check(chosen);
    if (chosen.variant == "full" || chosen.variant == "half")
      program::refuse_typed(chosen, {"--target", "--lambda", "--lambda-step", "--sparse-epochs", "--times"},
                            "with --variant " + chosen.variant + ", which replaces no channels");
    else
      program::refuse_typed(chosen, {"--probe", "--probe-every", "--patience", "--ema"}, "with a training in stages");
    if (chosen.variant == "full") program::refuse_typed(chosen, {"--budget"}, "with --variant full");
    if (with.target(chosen.variant) > with.budget(chosen.variant))
      throw c2f::input_error("--target is above --budget, and a network of that utilisation would cost more; write a --target of at most " +
                             nlohmann::json(with.budget(chosen.variant)).dump());
    if (with.lambda > 0) program::refuse_typed(chosen, {"--lambda-step"}, "with a fixed --lambda");
    if (with.set == "cifar10" && with.network != "vgg19")
      throw c2f::input_error("--network " + with.network + " is for cifar100; write --network vgg19 with --set cifar10");
    if (with.set == "cifar10") return run<vgg19<10>>(c2f::data::cifar10(chosen.data), chosen, with);
    auto const data = c2f::data::cifar100(chosen.data);
    if (with.network == "small") return run<small<100>>(data, chosen, with);
    if (with.network == "vgg19") return run<vgg19<100>>(data, chosen, with);
    run<pair<100>>(data, chosen, with);
  });
}
