// The common code of the example programs: sheets of data with unreadable samples, what is written when, sentences and exit codes.
#if __has_include(<CLI/CLI.hpp>)
#include "common/box_sheet.hpp"
#include "common/mask_sheet.hpp"
#include "common/program.cpp"
#include "common/train.hpp"

#include <fcntl.h>

#include <csignal>
#include <fstream>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;

/// Samples with pictures; `unread` cannot be read, for a reason with a control character and half a letter, and the pictures of `unseen`
/// cannot.
template <class Kind, std::int64_t Side>
struct pictured : tiny::samples<Kind, Side> {
  std::set<std::int64_t> unread{}, unseen{};
  double broken = 0;  // added to each pixel
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, typename Kind::truth_value* truth) const {
    if (unread.contains(id))
      throw c2f::input_error(
          "'pic\x1b"
          "ture " +
          std::to_string(id) + ".jpg' \xe6\x97 is not a whole JPEG");
    tiny::samples<Kind, Side>::read(17 * id, augment, pixels, truth);  // those all can be read
    *pixels += static_cast<float>(broken);
  }
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const {
    if (unread.contains(id) || unseen.contains(id)) throw c2f::input_error("no picture");
    return std::vector<std::uint8_t>(3 * Side * Side, static_cast<std::uint8_t>(id));
  }
};
template <class Kind, std::int64_t Side>
struct pictured_data {
  pictured<Kind, Side> train{{20, 1}}, test{{10, 2}};
};
struct masks {
  static constexpr char const* name = "masks";
  using input                       = c2f::image<3, 16, 16>;
  using network                     = c2f::unet<1, 2, c2f::dense<1>>;
};
using classes_data = pictured_data<tiny::class_vector::kind, 8>;

std::vector<std::int64_t> shown(auto const& split, std::int64_t count) {
  std::vector<std::int64_t> ids;
  for (auto const& each : program::spread_samples(split, count)) {
    REQUIRE(each.picture[0] == each.batch.ids.at(0));
    ids.push_back(each.batch.ids.at(0));
  }
  return ids;
}

/// What a call writes to stdout or stderr.
std::string written(int to, std::function<void()> const& call) {
  std::fflush(to == 1 ? stdout : stderr);
  std::FILE* const file = std::tmpfile();
  int const before      = ::dup(to);
  ::dup2(::fileno(file), to);
  call();
  std::fflush(to == 1 ? stdout : stderr);
  ::dup2(before, to), ::close(before);
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

program::options options(fs::path const& out) {
  return {.out           = out,
          .epochs        = 2,
          .batch         = 5,
          .threads       = 0,
          .learning_rate = 0.01,
          .given         = {{"data",
                             "stra\xdf"
                                     "e"},
                            {"epochs", "2"}}};
}
/// Trains as a program does; the exit code.
int train(classes_data const& data, program::options const& chosen, std::string* says = nullptr) {
  int code                 = 0;
  std::string const spoken = written(2, [&] {
    written(1, [&] {
      code = program::run([&] {
        c2f::stack<tiny::class_vector> model(7);
        program::train(model, program::limited(data, chosen), chosen, "title");
      });
    });
  });
  if (says != nullptr) *says = spoken;
  return code;
}
nlohmann::json summary(fs::path const& out) {
  std::ifstream in(out / "summary.json");
  return nlohmann::json::parse(in);
}

}  // namespace

TEST_CASE("a sheet shows the next sample that can be read") {
  pictured<tiny::class_vector::kind, 8> split{{10, 1}};
  using ids = std::vector<std::int64_t>;
  REQUIRE(shown(split, 4) == ids{0, 2, 5, 7});
  split.unread = {0, 5};
  REQUIRE(shown(split, 4) == ids{1, 2, 6, 7});
  split.unseen = {6, 7};
  REQUIRE(shown(split, 4) == ids{1, 2, 8, 9});
  split.unread = {9};
  split.unseen = {};
  REQUIRE(shown(split, 10) == ids{0, 1, 2, 3, 4, 5, 6, 7, 8});  // fewer than asked for, none twice
  split.unread = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  REQUIRE(shown(split, 4).empty());
  REQUIRE(shown(pictured<tiny::class_vector::kind, 8>{{0, 1}}, 4).empty());
}

TEST_CASE("sheets are written of data with unreadable samples") {
  tests::scratch const dir;
  for (std::set<std::int64_t> const& unread : {std::set<std::int64_t>{0, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}) {
    program::write_box_sheet(c2f::stack<tiny::boxes>(1), pictured<tiny::boxes::kind, 16>{{10, 1}, unread}, "x", dir.path / "boxes.png");
    REQUIRE(fs::file_size(dir.path / "boxes.png") > 100);
    program::write_mask_sheet(c2f::stack<masks>(1), pictured<c2f::dense<1>, 16>{{10, 1}, unread}, "x", dir.path / "masks.png");
    REQUIRE(fs::file_size(dir.path / "masks.png") > 100);
    fs::remove(dir.path / "boxes.png"), fs::remove(dir.path / "masks.png");
  }
}

TEST_CASE("an unreadable test sample is named in the summary of a training that succeeds") {
  tests::scratch const dir;
  classes_data data;
  data.test.unread = {3};
  REQUIRE(train(data, options(dir.path / "out")) == 0);
  auto const found = summary(dir.path / "out");
  REQUIRE(found.at("faulty").at("samples") == 1);
  REQUIRE(found.at("faulty").at("reasons").at(0) == "'pic\x1bture 3.jpg' \\xe6\\x97 is not a whole JPEG");
  REQUIRE(found.at("options").at("data") == "stra\\xdfe");
  REQUIRE(fs::exists(dir.path / "out" / "curve.png"));
  auto strict   = options(dir.path / "strict");
  strict.strict = true;
  std::string says;
  REQUIRE(train(data, strict, &says) == 2);
  REQUIRE(says.ends_with("'pic\\x1bture 3.jpg' \\xe6\\x97 is not a whole JPEG\n"));
}

TEST_CASE("input that is refused leaves no file and no folder") {
  tests::scratch const dir;
  auto const out = dir.path / "a" / "out";
  std::string says;
  classes_data empty;
  empty.test.count = 0;
  REQUIRE(train(empty, options(out), &says) == 2);
  REQUIRE(says == "the split tiny, which is to be scored, has no samples; add some\n");
  auto few  = options(out);
  few.limit = 21;
  REQUIRE(train({}, few, &says) == 2);
  REQUIRE(says == "cannot take 21 samples of tiny, which has 20; ask for 1 to 20\n");
  classes_data unreadable;  // found at the first step
  for (std::int64_t id = 0; id < 20; ++id) unreadable.train.unread.insert(id);
  REQUIRE(train(unreadable, options(out), &says) == 2);
  REQUIRE(says.ends_with(".jpg' \\xe6\\x97 is not a whole JPEG\n"));
  REQUIRE_FALSE(fs::exists(dir.path / "a"));
  fs::create_directories(dir.path / "there" / "other");  // a folder from before is kept with what is in it
  REQUIRE(train(unreadable, options(dir.path / "there"), &says) == 2);
  REQUIRE(std::distance(fs::directory_iterator(dir.path / "there"), fs::directory_iterator{}) == 1);
  REQUIRE(train({}, options(dir.path / "good")) == 0);
  auto const kept = tests::contents(dir.path / "good" / "log.jsonl");
  REQUIRE(train({}, options(dir.path / "good")) == 2);  // has checkpoints
  REQUIRE(tests::contents(dir.path / "good" / "log.jsonl") == kept);
  REQUIRE(fs::exists(dir.path / "good" / "checkpoints" / "epoch-00002-step-0000000"));
  program::check_folder(out);
  program::check_folder("");
  REQUIRE_FALSE(fs::exists(dir.path / "a"));

  std::ofstream(dir.path / "file") << "x";
  fs::create_symlink(dir.path / "nowhere", dir.path / "link");
  for (fs::path const& wrong :
       {dir.path / "file", dir.path / "file" / "out", dir.path / "link", fs::path("/dev/full"), fs::path("/proc/x")}) {
    if (wrong == "/proc/x" && ::access("/proc", W_OK) == 0) continue;
    CAPTURE(wrong);
    REQUIRE(tests::refusal([&] { program::check_folder(wrong); }) ==
            "--out '" + wrong.string() + "' is not a folder that can be written; choose another");
    REQUIRE(tests::refusal([&] { program::prepare_folder(wrong); }) ==
            "--out '" + wrong.string() + "' is not a folder that can be written; choose another");
  }
}

TEST_CASE("a training that did nothing fails, and so does its resumption") {
  tests::scratch const dir;
  for (auto const& [epochs, sentence] : {std::pair{1, "7 of 7 steps of the training were skipped"}, {1000, "10 skipped in a row"}}) {
    auto chosen   = options(dir.path / std::to_string(epochs));
    chosen.epochs = epochs;
    chosen.batch  = epochs == 1 ? 3 : 5;  // 20 samples: 7 or 4 steps an epoch
    classes_data nothing;
    nothing.train.broken = std::numeric_limits<double>::quiet_NaN();
    std::string says;
    REQUIRE(train(nothing, chosen, &says) == 1);
    CAPTURE(says);
    REQUIRE(tests::has(says, sentence));
    REQUIRE_FALSE(fs::exists(chosen.out / "summary.json"));
    chosen.resume = true;
    REQUIRE(train(nothing, chosen) == 1);
    REQUIRE_FALSE(fs::exists(chosen.out / "summary.json"));
  }
}

TEST_CASE("a training whose last scores are no numbers fails") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  auto const why   = [](std::vector<c2f::stage_score> scores, bool stopped = false) {
    c2f::training_report report;
    report.epochs.emplace_back().scores = std::move(scores);
    report.stopped                      = stopped;
    return tests::refusal<c2f::not_finite>([&] { program::check_scores(report); });
  };
  REQUIRE(tests::has(why({{"coarse", {{"iou", nan}}}, {"fine", {{"iou", nan}, {"acc", 1}}}}),
                     "the coarse iou of the last epoch is not a number"));
  REQUIRE(tests::has(why({{"coarse", {{"iou", .5}}}, {"fine", {{"iou", nan}}}}), "the fine iou of the last epoch is not a number"));
  REQUIRE(why({{"coarse", {{"iou", 0}, {"acc", nan}}}}).empty());
  REQUIRE(why({{"coarse", {{"iou", nan}}}}, true).empty());
  REQUIRE(why({}).empty());
}

TEST_CASE("errors are one printable sentence, with an exit code") {
  auto const said = [](std::function<void()> const& body, int code) {
    int found              = 0;
    std::string const text = written(2, [&] { found = program::run(body); });
    REQUIRE(found == code);
    return text;
  };
  REQUIRE(said([] {}, 0).empty());
  REQUIRE(said([] { throw c2f::input_error("'a\x1b[2J\nb' is wrong"); }, 2) == "'a\\x1b[2J\\x0ab' is wrong\n");
  REQUIRE(said(
              [] {
                throw c2f::not_finite(
                    "stra\xdf"
                    "e");
              },
              1) == "stra\\xdfe\n");
  REQUIRE(said([] { throw std::runtime_error("mat1 and mat2 cannot be multiplied\nException raised from f at g.cpp:7\nframe #0"); }, 1) ==
          "mat1 and mat2 cannot be multiplied\n");
  REQUIRE(said([] { throw std::bad_alloc(); }, 1) == "there is not enough memory; choose a smaller --batch\n");
  if (int const full = ::open("/dev/full", O_WRONLY); full >= 0) {
    std::fflush(stdout);
    int const before = ::dup(1);
    ::dup2(full, 1);
    auto const text = said([] { std::printf("a result\n"); }, 1);
    ::dup2(before, 1), ::close(before), ::close(full);
    std::clearerr(stdout);
    REQUIRE(tests::has(text, "could not be written to the standard output"));
  }
}

TEST_CASE("options without an effect are refused") {
  program::options const chosen{.typed = {"--epochs", "--images"}};
  program::refuse_typed(chosen, {"--classes"}, "here");
  REQUIRE(tests::refusal([&] { program::refuse_typed(chosen, {"--classes", "--images"}, "here"); }) ==
          "--images has no effect here; leave it out");
}
#endif
