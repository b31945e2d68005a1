// The trainings of processes.py, which starts this program in one or several processes.
//
//   processes train KIND FOLDER [WORD...]     WORD: local (norms), batch=N, epochs=N, nan=STEP, wrong=recipe|task|data (in the last rank),
//                                             every=N (steps between checkpoints), slow=MILLISECONDS a sample, strict, plain (no world)
//
// Every rank prints "rank R SHA-256 of its tensors", rank 0 also its scores and losses with all digits, and writes state.safetensors.
#include <c2f/dist/world.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/interrupt.hpp>

#include <reliability/tiny.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <thread>

namespace {

std::map<std::string, std::string> words;

/// tiny::samples that take time, and whose image `nan` is not a number.
template <class Kind, std::int64_t Side>
struct samples : tiny::samples<Kind, Side> {
  using base        = tiny::samples<Kind, Side>;
  using truth_value = typename base::truth_value;
  int slow          = 0;
  std::int64_t nan  = -1;
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, truth_value* truth) const {
    base::read(id, augment, pixels, truth);
    if (slow > 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow));
    if (id == nan) pixels[0] = std::numeric_limits<float>::quiet_NaN();
  }
};
template <class Kind, std::int64_t Side>
struct dataset {
  samples<Kind, Side> train, test;
};
template <class Task>
auto data_of(std::int64_t count) {
  constexpr std::int64_t side = std::same_as<typename Task::kind, c2f::class_vector<3>> ? 8 : 16;
  dataset<typename Task::kind, side> made{{{count, 1}}, {{21, 2}}};
  if (words.contains("slow")) made.train.slow = std::atoi(words["slow"].c_str());
  if (words.contains("nan")) made.train.nan = std::atoi(words["nan"].c_str());
  return made;
}

/// Not tiny::dense, whose crops depend on the other samples of the batch.
struct masks {
  static constexpr char const* name = "tiny-masks";
  using kind                        = c2f::dense<1>;
  using input                       = c2f::image<3, 16, 16>;
  using network                     = c2f::unet<1, 4, kind>;
  using schedule                    = tiny::phases;
};

/// A convolution of the images whose first number is large: a batch without one gives its parameters no gradient.
struct sometimes {
  template <c2f::shape In>
  struct on {
    using output = In;
    c2f::network_on<c2f::conv<In::channels, 1>, In> more;
    C2F_MEMBERS(more);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const those = x.select(1, 0).select(1, 0).select(1, 0).gt(1.7);
      return those.any().item<bool>() ? x.add(more(x, m).mul(those.view({-1, 1, 1, 1}))) : x;
    }
  };
};
struct partly : tiny::class_vector {
  static constexpr char const* name = "tiny-partly";
  using network                     = c2f::predicts<kind, sometimes, tiny::layers, c2f::global_average_pool, c2f::linear<3>>;
};

struct report_steps {
  void on_start(c2f::training_start const& start) const {
    std::printf("begun %ld\n", static_cast<long>(start.done));
    std::fflush(stdout);
  }
  void on_step(c2f::step_record const& step) const {
    if (!words.contains("steps")) return;
    std::printf("step %ld%s\n", static_cast<long>(step.iteration), step.skipped ? " skipped" : "");
    std::fflush(stdout);
  }
};

template <class Task>
void train(std::optional<c2f::dist::world>& world, std::string const& folder) {
  bool const last = world && world->size() > 1 && world->rank() == world->size() - 1;
  auto recipe =
      c2f::recipe::settings{}.epochs(4).batch(8).learning_rate(0.02).warm_up(4).milestone(0.5).ema(0.9, 2, 3).clip(1).weight_decay(1e-3);
  if (words.contains("bf16")) recipe.bf16();
  if (words.contains("adam")) recipe.adam({});
  if (words.contains("accumulate")) recipe.accumulate(2).batch(4);
  if (words.contains("batch")) recipe.batch(std::atoi(words["batch"].c_str()));
  if (words.contains("epochs")) recipe.epochs(std::atoi(words["epochs"].c_str()));
  if (words.contains("seed")) recipe.seed(static_cast<std::uint64_t>(std::atoi(words["seed"].c_str())));
  recipe.synchronised_norms(!words.contains("local")).strict(words.contains("strict")).deterministic(words.contains("deterministic"));
  if (last && words["wrong"] == "recipe") recipe.learning_rate(0.03);
  if (world) recipe.on(*world);
  auto const data = data_of<Task>(last && words["wrong"] == "data" ? 38 : 39);
  c2f::stack<Task> model(7);
  tiny::spy end;
  c2f::interrupt on_signal;
  report_steps steps;
  c2f::training_report report;
  if (words.contains("every")) {
    c2f::checkpoints kept(folder, {.every = std::atoi(words["every"].c_str()), .last = 2, .best = 1, .score = "fine top1"});
    report = c2f::fit(model, data, recipe, kept, end, steps, on_signal);
  } else {
    report = c2f::fit(model, data, recipe, end, steps, on_signal);
  }
  // The scores of one model are the same bits in any number of processes.
  if (world && !report.stopped) {
    auto own = recipe;
    c2f::dist::world one(c2f::dist::launch{});
    own.on(one);
    auto const together = c2f::evaluate(model, data.test, recipe), alone = c2f::evaluate(model, data.test, own);
    for (std::size_t i = 0; i < alone.size(); ++i)
      if (together.size() != alone.size() || together[i].stage != alone[i].stage || together[i].values != alone[i].values)
        throw c2f::error("the processes score " + alone[i].stage + " otherwise than one alone");
  }
  if (report.stopped) {
    if (!world || world->rank() == 0) std::printf("stopped\n");
  } else {
    c2f::data::sha256 sum;
    for (auto const& tensor : tiny::tensors_of(model)) {
      at::Tensor const bytes = tensor.contiguous();
      sum.update(bytes.const_data_ptr(), bytes.nbytes());
    }
    std::printf("rank %d %s\n", world ? world->rank() : 0, sum.hex().c_str());
    if (!world || world->rank() == 0) {
      for (auto const& epoch : report.epochs) {
        for (auto const& stage : epoch.scores)
          for (auto const& [name, value] : stage.values)
            std::printf("score %ld %s %s %.17g\n", static_cast<long>(epoch.epoch), stage.stage.c_str(), name.c_str(), value);
        for (auto const& [name, value] : epoch.losses)
          std::printf("loss %ld %s %.17g\n", static_cast<long>(epoch.epoch), name.c_str(), value);
      }
      std::printf("faulty %ld %ld\n", static_cast<long>(report.faulty.samples), static_cast<long>(report.faulty.replaced));
      std::printf("skipped %ld\n", static_cast<long>(report.skipped));
      if (!words.contains("every")) {
        c2f::data::safetensors all;
        c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor const& each, auto const&) {
          all.tensors.emplace(path, each.tensor().detach().clone());
        });
        c2f::data::write_safetensors(folder + "/state.safetensors", all);
      }
    }
  }
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** given) {
  if (count < 4) {
    std::fprintf(stderr, "processes train KIND FOLDER [WORD...]\n");
    return 2;
  }
  std::string kind = given[2];
  for (int i = 4; i < count; ++i) {
    std::string const word    = given[i];
    auto const at             = word.find('=');
    words[word.substr(0, at)] = at == std::string::npos ? "" : word.substr(at + 1);
  }
  std::optional<c2f::dist::world> world;
  auto const fail = [&](char const* what, int code) {
    std::fprintf(stderr, "%s\n", what);
    std::fflush(stderr);
    std::_Exit(code);
  };
  try {
    if (!words.contains("plain")) world.emplace();
    if (words["wrong"] == "task" && world->rank() == world->size() - 1) kind = "masks";
    if (kind == "class_vector")
      train<tiny::class_vector>(world, given[3]);
    else if (kind == "partly")
      train<partly>(world, given[3]);
    else if (kind == "boxes")
      train<tiny::boxes>(world, given[3]);
    else
      train<masks>(world, given[3]);
    if (world) world->shutdown();
  } catch (c2f::input_error const& error) {
    fail(error.what(), 2);
  } catch (std::exception const& error) {
    fail(error.what(), 1);
  }
}
