// Checkpoints: which are written and kept; errors for damaged or truncated ones, for those of another training, and for folders in use.
#include <c2f/print/observers.hpp>
#include <c2f/systems/rstn.hpp>
#include <c2f/train/checkpoint.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "catch.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using tiny::same_bytes;
using tiny::spy;
using tiny::stops;
using task = tiny::class_vector;

struct scratch : tests::scratch {
  fs::path folder = path / "kept";
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> all;
    for (auto const& each : fs::directory_iterator(folder)) all.insert(each.path().filename());
    return all;
  }
};

c2f::recipe::settings recipe() { return tiny::recipe().threads(0); }

template <class Task = task, class... Observers>
c2f::training_report train(c2f::recipe::settings const& how, Observers&&... observers) {
  c2f::stack<Task> model(7);
  return c2f::fit(model, tiny::data_of<Task>(), how, observers...);
}
std::string refusal_of(auto const& body) {
  try {
    body();
  } catch (c2f::input_error const& error) {
    return error.what();
  }
  return "nothing was refused";
}

std::string bytes_of(fs::path const& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put(fs::path const& file, std::string const& bytes) { std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes; }

struct wider : task {
  using network = c2f::predicts<kind, c2f::conv<5, 3, 2>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<3>>;
};
struct other_schedule : task {
  using schedule = c2f::schedule::always_truth;
};
struct flat : task {
  using network = c2f::predicts<kind, c2f::conv<4, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<3>>;
};
struct nested : flat {  // its last layer has another name
  using network = c2f::predicts<kind, c2f::conv<4, 3, 2>, c2f::relu, c2f::sequential<c2f::global_average_pool, c2f::linear<3>>>;
};

/// Two checkpoints of a training stopped before step 8, and the end state of the uninterrupted training.
struct ended {
  scratch s;
  spy whole{};
  fs::path newest = s.folder / "epoch-00001-step-0000003", older = s.folder / "epoch-00001-step-0000002";
  ended() {
    train(recipe(), whole);
    train(recipe(), c2f::checkpoints(s.folder, {.every = 1}), stops{.at = 8});
    REQUIRE(s.names() == std::set<std::string>{"epoch-00001-step-0000002", "epoch-00001-step-0000003"});
  }
};

}  // namespace

TEST_CASE("the most recent and the best checkpoints are kept") {
  scratch const s;
  auto const report = train(recipe(), c2f::checkpoints(s.folder));
  REQUIRE(s.names() == std::set<std::string>{"epoch-00002-step-0000000", "epoch-00003-step-0000000"});
  for (char const* file : {"model.safetensors", "average.safetensors", "training.safetensors", "state.json", "SHA256SUMS"})
    REQUIRE(fs::is_regular_file(s.folder / "epoch-00003-step-0000000" / file));
  REQUIRE(std::distance(fs::directory_iterator(s.folder / "epoch-00003-step-0000000"), fs::directory_iterator{}) == 5);

  fs::remove_all(s.folder);
  train(recipe(), c2f::checkpoints(s.folder, {.every = 2, .last = 4}));
  REQUIRE(s.names() == std::set<std::string>{"epoch-00002-step-0000000", "epoch-00002-step-0000002", "epoch-00002-step-0000004",
                                             "epoch-00003-step-0000000"});

  // A custom score of an observer: here best after the second of six epochs, then after the fifth.
  fs::remove_all(s.folder);
  struct scored : c2f::checkpoints {
    using c2f::checkpoints::checkpoints;
    void keep(c2f::training_state const& state, c2f::moment when) {
      c2f::training_state changed = state;
      double const values[]{.2, .9, .1, .3, .8, .4};
      for (std::size_t i = 0; i < changed.report.epochs.size(); ++i) changed.report.epochs[i].scores = {{"fine", {{"top1", values[i]}}}};
      c2f::checkpoints::keep(changed, when);
    }
  };
  train(recipe().epochs(6), scored(s.folder, {.last = 1, .best = 2, .score = "fine top1"}));
  REQUIRE(s.names() == std::set<std::string>{"epoch-00002-step-0000000", "epoch-00005-step-0000000", "epoch-00006-step-0000000"});

  // Of an error the lowest are the best.
  fs::remove_all(s.folder);
  struct with_errors : scored {
    using scored::scored;
    void keep(c2f::training_state const& state, c2f::moment when) {
      c2f::training_state changed = state;
      for (auto& each : changed.report.epochs) each.errors.push_back("top1");
      scored::keep(changed, when);
    }
  };
  train(recipe().epochs(6), with_errors(s.folder, {.last = 1, .best = 2, .score = "fine top1"}));
  REQUIRE(s.names() == std::set<std::string>{"epoch-00001-step-0000000", "epoch-00003-step-0000000", "epoch-00006-step-0000000"});

  fs::remove_all(s.folder);
  REQUIRE(
      refusal_of([&] { train(recipe(), c2f::checkpoints(s.folder, {.best = 1, .score = "fine top2"})); }) ==
      "no score is called 'fine top2', by which the best checkpoints are chosen; write one of 'coarse top1', 'coarse top5', 'fine top1', "
      "'fine top5'");
  REQUIRE(refusal_of([&] { c2f::checkpoints(s.folder, {.best = 1}); }).starts_with("the best checkpoints are to be kept, and no score"));
  REQUIRE(refusal_of([&] { c2f::checkpoints(s.folder, {.last = 0}); }).find(".last is 0 and") != std::string::npos);
  REQUIRE(report.epochs.size() == 3);
}

TEST_CASE("files and folders have the usual modes") {
  scratch const s;
  mode_t const before = ::umask(0027);
  train(recipe(), c2f::checkpoints(s.folder), stops{.at = 1});
  ::umask(before);
  auto const mode = [](fs::path const& path) {
    struct ::stat found{};
    REQUIRE(::stat(path.c_str(), &found) == 0);
    return found.st_mode & 07777;
  };
  REQUIRE(mode(s.folder / "epoch-00000-step-0000001") == 0750);
  for (auto const& each : fs::directory_iterator(s.folder / "epoch-00000-step-0000001")) REQUIRE(mode(each.path()) == 0640);
}

TEST_CASE("a flipped bit in any file is detected, the checkpoint is named and the previous one is used") {
  ended const e;
  std::set<std::string> const files{"model.safetensors", "average.safetensors", "training.safetensors", "state.json", "SHA256SUMS"};
  c2f::random_stream draw{1, c2f::purpose::corrupt, 0, 0};
  fs::path const copy = e.s.folder.string() + "_copy";
  for (auto const& file : files)
    for (int round = 0; round < 12; ++round) {
      CAPTURE(file, round);
      fs::remove_all(copy);
      fs::copy(e.s.folder, copy, fs::copy_options::recursive);
      fs::path const damaged = copy / e.newest.filename() / file;
      std::string bytes      = bytes_of(damaged);
      std::size_t const at   = round == 0 ? 0 : round == 1 ? bytes.size() - 1 : draw.below(static_cast<std::uint32_t>(bytes.size()));
      bytes[at]              = static_cast<char>(bytes[at] ^ (1 << draw.below(8)));
      put(damaged, bytes);
      std::vector<std::string> warned;
      c2f::checkpoints kept(copy, {.warn = [&](std::string const& line) { warned.push_back(line); }});
      spy end;
      bool const all_the_way = round == 2;
      train(recipe(), kept, end, stops{.at = all_the_way ? 99 : 8});
      REQUIRE(kept.restored().filename() == e.older.filename());
      REQUIRE(warned.size() == 1);
      REQUIRE(warned[0].find((copy / e.newest.filename()).string()) != std::string::npos);
      if (file != "SHA256SUMS") REQUIRE(warned[0].find("/" + file + "' is damaged: its SHA-256 is not the one") != std::string::npos);
      REQUIRE(fs::is_directory(copy / (e.newest.filename().string() + ".damaged")));
      if (all_the_way) REQUIRE(same_bytes(end, e.whole));
    }
  fs::remove_all(copy);
}

TEST_CASE("a file that is missing, truncated or replaced is detected") {
  ended const e;
  fs::path const copy = e.s.folder.string() + "_copy";
  int cases           = 0;
  auto const found    = [&](auto const& harm, std::string const& word) {
    CAPTURE(word);
    fs::remove_all(copy);
    fs::copy(e.s.folder, copy, fs::copy_options::recursive);
    harm(copy / e.newest.filename());
    std::string warned;
    c2f::checkpoints kept(copy, {.warn = [&](std::string const& line) { warned += line; }});
    train(recipe(), kept, stops{.at = 8});
    REQUIRE(kept.restored().filename() == e.older.filename());
    INFO(warned);
    REQUIRE(warned.find(word) != std::string::npos);
    ++cases;
  };
  for (auto const& each : fs::directory_iterator(e.newest)) {
    std::string const file = each.path().filename();
    found([&](fs::path const& in) { fs::remove(in / file); }, file);
    found([&](fs::path const& in) { put(in / file, bytes_of(in / file).substr(0, 40)); }, e.newest.filename());
    found([&](fs::path const& in) { put(in / file, ""); }, e.newest.filename());
  }
  REQUIRE(cases == 15);
  // With correct checksums: the content of the file is not of its format.
  auto const signed_again = [&](fs::path const& in) {
    std::string sums;
    for (char const* file : {"average.safetensors", "model.safetensors", "state.json", "training.safetensors"})
      sums += c2f::data::sha256_of_file(in / file) + "  " + file + '\n';
    put(in / "SHA256SUMS", sums);
  };
  auto const state_with = [&](std::string const& from, std::string const& to) {
    return [&, from, to](fs::path const& in) {
      std::string text = bytes_of(in / "state.json");
      REQUIRE(text.find(from) != std::string::npos);
      put(in / "state.json", text.replace(text.find(from), from.size(), to));
      signed_again(in);
    };
  };
  found(state_with("c2f checkpoint 1", "c2f checkpoint 9"), "its format is not 'c2f checkpoint 1'");
  found(state_with("{", "["), "is not the state of a training: ");
  found(state_with("\"step\": 3", "\"step\": 4"), "has an impossible progress: epoch 1, step 4");
  found(state_with("\"step\": 3", "\"step\": \"3\""), "is not the state of a training: ");
  found(state_with("\"skipped\": 0", "\"skips\": 0"), "is not the state of a training: ");
  found(
      [&](fs::path const& in) {
        put(in / "model.safetensors", bytes_of(in / "model.safetensors").substr(0, 500));
        signed_again(in);
      },
      "model.safetensors");
  fs::remove_all(copy);
}

TEST_CASE("where no checkpoint is usable, that is an error, and no new training begins") {
  ended const e;
  put(e.newest / "state.json", "");
  put(e.older / "model.safetensors", "");
  for (int twice = 0; twice < 2; ++twice)
    REQUIRE(refusal_of([&] { train(recipe(), c2f::checkpoints(e.s.folder)); }) ==
            "no checkpoint in '" + e.s.folder.string() + "' can be used: '" + (e.newest / "state.json").string() +
                "' is damaged: its SHA-256 is not the one in SHA256SUMS; put a good one there, or choose another folder");
  REQUIRE(e.s.names().size() == 2);
}

TEST_CASE("temporary files of a killed process are removed, and nothing else") {
  ended const e;
  fs::create_directory(e.s.folder / "epoch-00001-step-0000004.part");
  put(e.s.folder / "epoch-00001-step-0000004.part" / "model.safetensors", "half");
  put(e.s.folder / "notes.txt", "mine");
  put(e.s.folder / "notes.part", "mine");
  fs::create_directory(e.s.folder / "epoch-1-step-9");  // not a checkpoint name
  c2f::checkpoints kept(e.s.folder);
  train(recipe(), kept, stops{.at = 8});
  REQUIRE(kept.restored() == e.newest);
  REQUIRE(e.s.names() ==
          std::set<std::string>{"epoch-00001-step-0000002", "epoch-00001-step-0000003", "notes.txt", "notes.part", "epoch-1-step-9"});
}

TEST_CASE("one training at a time") {
  ended const e;
  c2f::checkpoints first(e.s.folder);
  train(recipe(), first, stops{.at = 8});
  std::string const message =
      "another training keeps its checkpoints in '" + e.s.folder.string() + "'; wait until it ends, or choose another folder";
  REQUIRE(refusal_of([&] { train(recipe(), c2f::checkpoints(e.s.folder)); }) == message);
  train(recipe(), first);  // the same process may continue
  REQUIRE(refusal_of([&] {
            train(recipe(), c2f::checkpoints(fs::path("/proc/nothing")));
          }).starts_with("cannot write '/proc/nothing': mkdir: "));
}

TEST_CASE("the first difference to another training is reported") {
  ended const e;
  std::string const begin = "'" + e.newest.string() + "' is of another training: ",
                    end   = "; choose another folder, or take the parts that fit with c2f::load_weights";
  auto const difference   = [&]<class Task>(Task, c2f::recipe::settings const& how) {
    std::string const message = refusal_of([&] { train<Task>(how, c2f::checkpoints(e.s.folder)); });
    INFO(message);
    REQUIRE(message.starts_with(begin));
    REQUIRE(message.ends_with(end));
    return message.substr(begin.size(), message.size() - begin.size() - end.size());
  };
  REQUIRE(difference(tiny::boxes{}, recipe()) == "the task is 'tiny-class-vector' there and 'tiny-boxes' here");
  REQUIRE(difference(wider{}, recipe()) == "it has no 'coarse.0.weight'");
  REQUIRE(difference(other_schedule{}, recipe()) == "the types of the task's parts, or the options of its model, differ");
  REQUIRE(difference(task{}, recipe().seed(2)) == "the seed is 1 there and 2 here");
  REQUIRE(difference(task{}, recipe().batch(5)) == "the recipe's batch is 4 there and 5 here");
  REQUIRE(difference(task{}, recipe().epochs(4)) == "the recipe's epochs is 3 there and 4 here");
  REQUIRE(difference(task{}, recipe().accumulate(1)) == "the recipe's accumulate is 2 there and 1 here");
  REQUIRE(difference(task{}, recipe().learning_rate(0.3)) == "the recipe's learning_rate is 0.05 there and 0.3 here");
  REQUIRE(difference(task{}, recipe().ema(0)) == "the recipe's ema is 0.9 there and 0 here");
  REQUIRE(difference(task{}, recipe().clip(0)) == "the recipe's clip is 1 there and 0 here");
  REQUIRE(difference(task{}, recipe().no_milestones()) == "the recipe's milestone 1 is 0.5 there and not given here");
  REQUIRE(difference(task{}, recipe().milestone(0.7)) == "the recipe's milestone 2 is not given there and 0.7 here");
  {
    c2f::stack<task> model(7);
    auto data = tiny::data_of<task>();
    --data.train.count;
    REQUIRE(refusal_of([&] {
              c2f::fit(model, data, recipe(), c2f::checkpoints(e.s.folder));
            }).find("the number of training samples is 35 there and 34 here") != std::string::npos);
  }
  REQUIRE(refusal_of([&] { train(recipe(), c2f::checkpoints(e.s.folder, {.resume = false})); }) ==
          "'" + e.s.folder.string() +
              "' holds checkpoints of a training, 'epoch-00001-step-0000003' the newest; resume it, or choose another folder");
  spy end_of;  // the refusals changed nothing; threads and strictness may differ
  train(recipe().threads(2).stop_after_skips(3), c2f::checkpoints(e.s.folder), end_of);
  REQUIRE(same_bytes(end_of, e.whole));
}

TEST_CASE("a parameter or buffer of another name or shape is reported by its path") {
  scratch const s;
  train<flat>(recipe(), c2f::checkpoints(s.folder), stops{.at = 1});
  REQUIRE(refusal_of([&] {
            train<nested>(recipe(), c2f::checkpoints(s.folder));
          }).find("is of another training: it has no 'coarse.2.1.weight'; ") != std::string::npos);
}

namespace {
struct minus_infinity {
  static double draw(c2f::random_stream&, std::span<std::int64_t const>, std::int64_t) { return -INFINITY; }
};
/// As a module with an attention mask: a buffer that is infinite from the beginning.
struct masking {
  template <c2f::shape In>
  struct on {
    using output = In;
    c2f::buffer<minus_infinity, 2> mask;
    C2F_MEMBERS(mask);
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.add(mask.tensor().exp().sum()); }
  };
};
struct masked : task {
  using network = c2f::predicts<kind, tiny::layers, masking, c2f::global_average_pool, c2f::linear<3>>;
};
}  // namespace

TEST_CASE("a buffer that is infinite from the beginning is saved; what became infinite is not, and that is said") {
  scratch const s;
  std::vector<std::string> warned;
  c2f::checkpoint_options const options{.every = 1, .last = 20, .warn = [&](std::string const& line) { warned.push_back(line); }};
  auto const how = recipe().ema(0);
  spy whole, end;
  train<masked>(how, whole);
  train<masked>(how, c2f::checkpoints(s.folder, options), stops{.at = 8});
  REQUIRE(s.names().size() == 9);
  train<masked>(how, c2f::checkpoints(s.folder, options), end);
  REQUIRE(same_bytes(end, whole));
  REQUIRE(warned.empty());

  fs::remove_all(s.folder);
  struct breaks {
    c2f::stack<masked>& model;
    void on_step(c2f::step_record const& step) const {
      if (step.iteration != 2) return;
      c2f::for_each_tensor(model, [](std::string const& path, c2f::state_tensor& each, c2f::state_traits const&) {
        if (path == "coarse.0.1.running_mean") each.tensor().fill_(INFINITY);
      });
    }
  };
  c2f::stack<masked> model(7);
  c2f::fit(model, tiny::data_of<masked>(), how, breaks{model}, c2f::checkpoints(s.folder, options), stops{.at = 3});
  REQUIRE(s.names() == std::set<std::string>{"epoch-00000-step-0000001", "epoch-00000-step-0000002"});
  REQUIRE(warned.size() == 1);
  REQUIRE(warned[0] == "'" + (s.folder / "epoch-00000-step-0000003").string() +
                           "' is not written, since 'coarse.0.1.running_mean' of the model is no longer finite; lower the learning rate");
}

TEST_CASE("numbers of the report are restored bit for bit") {
  using c2f::detail::double_of, c2f::detail::json_of;
  std::vector<double> values{
      0.0, -0.0, 0.1, 1e-320, 1e308, 1.0 / 3, std::nan(""), -std::nan("7"), INFINITY, -INFINITY, 123456789012345678.0};
  c2f::random_stream draw{1, c2f::purpose::synthesis, 0, 0};
  for (int i = 0; i < 2000; ++i) values.push_back(std::bit_cast<double>((std::uint64_t{draw.bits()} << 32) | draw.bits()));
  for (double const value : values) {
    double const back = double_of(c2f::detail::json::parse(json_of(value).dump()));
    REQUIRE(std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value));
  }
}

TEST_CASE("the log continues where the checkpoint was made") {
  scratch const s, whole_s;
  fs::create_directories(s.folder);
  fs::path const file = s.folder / "log.jsonl";
  auto const lines    = [&] {
    std::vector<std::string> all;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) all.push_back(line.substr(0, line.find(", \"train_seconds\"")));
    return all;
  };
  {
    c2f::print::json_lines log(file);
    train(recipe(), log);
  }
  auto const whole = lines();
  REQUIRE(whole.size() == 5);
  fs::remove(file);
  fs::path const folder = s.folder / "checkpoints";
  {
    c2f::print::json_lines log(file);
    train(recipe(), log, c2f::checkpoints(folder), stops{.at = 7});
  }
  REQUIRE(lines().size() == 3);                                                       // start, an epoch, stopped
  std::ofstream(file, std::ios::app) << R"({"event": "epoch", "epoch": 1, "t": 0.)";  // a later line, truncated
  {
    c2f::print::json_lines log(file);
    REQUIRE(lines().size() == 4);  // nothing is removed before the resume point is known
    train(recipe(), log, c2f::checkpoints(folder));
  }
  REQUIRE(lines() == whole);
  {
    c2f::print::json_lines log(file);
    train(recipe(), log, c2f::checkpoints(folder));  // already complete
  }
  REQUIRE(lines() == whole);
}

TEST_CASE("signals within a second are one request to stop") {
  for (auto const& [first, again] : {std::pair{SIGTERM, SIGTERM}, {SIGINT, SIGINT}, {SIGINT, SIGTERM}}) {
    pid_t const child = ::fork();
    if (child == 0) {
      c2f::interrupt const on_signal;
      std::raise(first);
      for (int i = 0; i < 5; ++i) std::raise(again);
      ::usleep(300'000);
      std::raise(again);
      bool const stopped = on_signal.stop();
      if (first == SIGTERM) ::_exit(stopped ? 0 : 1);
      ::usleep(750'000);
      std::raise(again);  // ends the program
      ::_exit(2);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (first == SIGTERM)
      REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    else
      REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == again));
  }
}

TEST_CASE("SIGTERM ends a training with a checkpoint; a second signal after a second ends the program at once") {
  scratch const s;
  struct raises {
    int at;
    int signal;
    void on_step(c2f::step_record const& step) const {
      if (step.iteration == at) std::raise(signal);
    }
  };
  pid_t const child = ::fork();
  if (child == 0) {
    c2f::interrupt on_signal;
    auto const report = train(recipe(), raises{6, SIGTERM}, on_signal, c2f::checkpoints(s.folder));
    ::_exit(report.stopped ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  REQUIRE(s.names() == std::set<std::string>{"epoch-00001-step-0000000", "epoch-00001-step-0000002"});
  std::FILE* const answer = std::tmpfile();
  pid_t const second      = ::fork();
  if (second == 0) {
    c2f::interrupt on_signal;
    struct impatient : c2f::checkpoints {
      using c2f::checkpoints::checkpoints;
      std::FILE* answer = nullptr;
      void keep(c2f::training_state const& state, c2f::moment when) {
        if (when == c2f::moment::stop) {  // while the checkpoint is being written
          std::raise(SIGINT);             // repeats within a second are one request
          std::raise(SIGTERM);
          std::fputs("alive", answer);
          std::fflush(answer);
          ::usleep(1'050'000);
          std::raise(SIGINT);
        }
        c2f::checkpoints::keep(state, when);
      }
    };
    impatient kept(s.folder);
    kept.answer = answer;
    train(recipe(), raises{8, SIGTERM}, on_signal, kept);
    ::_exit(0);
  }
  REQUIRE(::waitpid(second, &status, 0) == second);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGINT);
  std::rewind(answer);
  char word[8] = {};
  REQUIRE(std::fgets(word, sizeof word, answer) == std::string("alive"));
  std::fclose(answer);
  spy whole, end;
  train(recipe(), whole);
  train(recipe(), c2f::checkpoints(s.folder), end);
  REQUIRE(same_bytes(whole, end));
}

namespace {
struct cifar {
  using input    = c2f::image<3, 32, 32>;
  using network  = c2f::resnet_cifar<20, c2f::class_vector<100>>;
  using schedule = c2f::schedule::ramp<0.5, 0.6, c2f::by::fraction>;  // the default of version 0.1
};
}  // namespace

TEST_CASE("the types of a task have the hash that version 0.1 wrote into its checkpoints") {
  // Written by g++ 12 and clang 19 alike. A part that gets another name needs an entry in type_hash, or old checkpoints are refused.
  REQUIRE(c2f::detail::type_hash<c2f::systems::rstn<>>() == 1301265919758714523u);
  REQUIRE(c2f::detail::type_hash<c2f::systems::rstn_stepwise<c2f::systems::rstn<>>>() == 9143729654638422899u);
  REQUIRE(c2f::detail::type_hash<cifar>() == 923562674384887314u);
}
