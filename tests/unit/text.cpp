// Texts from outside: cut at letters, one line on a terminal, valid in a JSON.
#include <c2f/core/text.hpp>
#include <c2f/data/draw/plot.hpp>
#include <c2f/data/split_identity.hpp>
#include <c2f/print/observers.hpp>
#include <c2f/train/checkpoint_codec.hpp>

#include <nlohmann/json.hpp>

#include <fstream>

#include "catch.hpp"
#include "scratch.hpp"

namespace {

using namespace c2f::text;

std::string repeated(std::string const& letter, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += letter;
  return text;
}

std::string const han = "\xe6\x97\xa5", emoji = "\xf0\x9f\x90\xb1", accented = "e\xcc\x81",
                  latin1 =
                      "stra\xdf"
                      "e";
// What each is on one line.
std::vector<std::pair<std::string, std::string>> const names{
    {"", ""},
    {"ship (1)", "ship (1)"},
    {"x" + repeated(han, 25), "x" + repeated(han, 25)},
    {latin1, "stra\\xdfe"},
    {"a \"b\"\n\tc\\d", "a \"b\"\\x0a\\x09c\\d"},
    {"\x1b[31mred\x07\x7f", "\\x1b[31mred\\x07\\x7f"},
    {emoji, emoji},
    {"caf" + accented, "caf" + accented},
    {"\xc2\x9b"
     "2J",
     "\\xc2\\x9b2J"},                                   // a control sequence of 8-bit terminals, as UTF-8
    {"\xe2\x80\xaegpj.exe", "\\xe2\\x80\\xaegpj.exe"},  // turns the direction of writing
    {"\xc0\xaf|\xe0\x80\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xf8|\x80",
     "\\xc0\\xaf|\\xe0\\x80\\xaf|\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80|\\xf8|\\x80"},
    {han.substr(0, 2), "\\xe6\\x97"},
    {std::string("a\0b", 3), "a\\x00b"},
};

}  // namespace

TEST_CASE("a text from outside is printed as one line of UTF-8") {
  for (auto const& [name, line] : names) {
    CAPTURE(line);
    REQUIRE(printable(name) == line);
    REQUIRE(printable(line) == line);
    REQUIRE_NOTHROW(nlohmann::json(line).dump());
  }
}

TEST_CASE("a text is cut between letters, never within one") {
  std::string const text = "x" + repeated(han, 25);
  REQUIRE(letters(text) == 26);
  REQUIRE(printable(text, 26) == text);
  REQUIRE(printable(text, 25) == "x" + repeated(han, 21) + "...");
  REQUIRE(printable(text, 4) == "x...");
  REQUIRE(printable(text, 3) == "...");
  REQUIRE(printable(text, 1) == ".");
  REQUIRE(printable(text, 0).empty());
  REQUIRE(letters(emoji) == 1);
  REQUIRE(printable(repeated(emoji, 9), 5) == emoji + emoji + "...");
  REQUIRE(letters("caf" + accented) == 4);
  REQUIRE(printable(repeated(accented, 6), 5) == accented + accented + "...");  // no accent is left alone or lost
  REQUIRE(letters(latin1) == 6);
  REQUIRE(printable(latin1, 8) == "stra...");  // "stra\xdfe" is nine letters wide; no half of an escape
  REQUIRE(printable(latin1, 9) == "stra\\xdfe");
  for (auto const& [name, line] : names)
    for (std::size_t most = 0; most < 30; ++most) {
      std::string const cut = printable(name, most);
      CAPTURE(line, most, cut);
      REQUIRE(letters(cut) <= most);
      REQUIRE_NOTHROW(nlohmann::json(cut).dump());  // throws for half a letter
      REQUIRE((cut == line || cut.ends_with(std::string(std::min<std::size_t>(most, 3), '.'))));
    }
}

TEST_CASE("a JSON string is read back as the text; a byte that is no UTF-8 as its number") {
  for (auto const& [name, line] : names) {
    CAPTURE(line);
    auto const back = nlohmann::json::parse(json(name)).get<std::string>();
    REQUIRE(back == utf8(name));
    REQUIRE(printable(back) == line);
  }
  REQUIRE(json(latin1) == "\"stra\\\\xdfe\"");
  REQUIRE(json("a \"b\"\n\x1b") == "\"a \\\"b\\\"\\u000a\\u001b\"");
  REQUIRE(utf8("a\n\x1b") == "a\n\x1b");
}

TEST_CASE("log.jsonl is valid whatever the names") {
  tests::scratch const dir;
  c2f::print::json_lines log(dir.path / "log.jsonl");
  for (auto const& [name, line] : names) {
    log.on_start({.task = name});
    log.on_epoch({.losses = {{name, 1.0}}, .scores = {{name, {{name, .5}}}}});
    std::ifstream in(dir.path / "log.jsonl");
    std::string start, epoch;
    REQUIRE(std::getline(in, start));
    REQUIRE(std::getline(in, epoch));
    REQUIRE(nlohmann::json::parse(start).at("task") == utf8(name));
    REQUIRE(nlohmann::json::parse(epoch).at("scores").at(utf8(name)).at(utf8(name)) == .5);
    REQUIRE(printable(c2f::print::epoch_line({.losses = {{name, 1.0}}, .scores = {{name, {{name, .5}}}}})) ==
            c2f::print::epoch_line({.losses = {{name, 1.0}}, .scores = {{name, {{name, .5}}}}}));
  }
}

TEST_CASE("the class names in a checkpoint are those of the data, whatever their bytes") {
  c2f::data::split_identity made{.size = 3};
  for (auto const& [name, line] : names) made.classes.push_back(printable(name));
  std::string const text = c2f::detail::json_of(made).dump(1, ' ', false, c2f::detail::json::error_handler_t::replace);
  auto const back        = c2f::detail::identity_of(c2f::detail::json::parse(text));
  REQUIRE(c2f::data::difference(back, made).empty());
  struct named {
    [[nodiscard]] std::int64_t size() const { return 3; }
    [[nodiscard]] std::vector<std::string> classes() const { return {"\xed\xa0\x80", latin1 + han, "a\nb"}; }
  };
  auto const here = c2f::data::identity_of(named{});
  REQUIRE(here.classes == std::vector<std::string>{"\\xed\\xa0\\x80", "stra\\xdfe" + han, "a\\x0ab"});
  REQUIRE(c2f::detail::identity_of(c2f::detail::json::parse(
              c2f::detail::json_of(here).dump(1, ' ', false, c2f::detail::json::error_handler_t::replace))) == here);
}

TEST_CASE("a letter of a picture is one place wide, whatever its bytes") {
  using c2f::data::canvas;
  auto const drawn = [](std::string const& words) {
    canvas page(200, 20);
    page.text(0, 2, words, c2f::data::black, 1);
    return std::vector<std::uint8_t>(page.bytes().begin(), page.bytes().end());
  };
  REQUIRE(canvas::text_width("a" + han + "b", 1) == canvas::text_width("a?b", 1));
  REQUIRE(drawn("a" + han + "b") == drawn("a?b"));
  REQUIRE(drawn(emoji + latin1) == drawn("?stra?e"));
  REQUIRE(drawn("caf" + accented + "s") == drawn("cafes"));
  REQUIRE(drawn("a\x1b"
                "b") == drawn("a?b"));
  // A long name in a legend leaves room for the lines.
  c2f::data::plot curve{.title = "t", .x_label = "x", .y_label = "y"};
  auto const with = [&](std::string const& name) {
    curve.lines       = {{.name = name, .xs = {1, 2}, .ys = {1, 2}}};
    canvas const page = curve.draw();
    return std::vector<std::uint8_t>(page.bytes().begin(), page.bytes().end());
  };
  REQUIRE(with(repeated("abcdefgh", 40)) == with(repeated("abcdefgh", 3) + "abcd..."));
}
