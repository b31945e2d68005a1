// Zips written by this test, intact and damaged, and the real ones.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <zip.h>

#include <c2f/data/io/zip.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using c2f::data::zip_archive;
using tests::contents;
using tests::refusal;
using tests::require_message;
using bytes = std::vector<std::uint8_t>;

using folder = tests::scratch;

// Stored, so that a test finds the bytes; compressed on request.
bytes archive_of(std::vector<std::pair<std::string, std::string>> const& entries, bool packed = false) {
  folder const dir;
  std::string const file = (dir.path / "a.zip").string();
  zip_t* const made      = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  REQUIRE(made != nullptr);
  for (auto const& [name, text] : entries) {
    auto const at = name.ends_with('/') ? zip_dir_add(made, name.c_str(), 0)
                                        : zip_file_add(made, name.c_str(), zip_source_buffer(made, text.data(), text.size(), 0), 0);
    REQUIRE(at >= 0);
    REQUIRE(zip_set_file_compression(made, static_cast<zip_uint64_t>(at), packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0);
  }
  REQUIRE(zip_close(made) == 0);
  return contents(file);
}

// The last position of these bytes: for a name, that in the central directory.
std::size_t last(bytes const& of, std::string const& text) {
  auto const at = std::find_end(of.begin(), of.end(), text.begin(), text.end());
  REQUIRE(at != of.end());
  return static_cast<std::size_t>(at - of.begin());
}
std::size_t first(bytes const& of, std::string const& text) {
  auto const at = std::search(of.begin(), of.end(), text.begin(), text.end());
  REQUIRE(at != of.end());
  return static_cast<std::size_t>(at - of.begin());
}
// A field of the entry's header in the central directory, 46 bytes before its name; APPNOTE.TXT 4.3.12.
void set(bytes& archive, std::string const& entry, std::size_t field, std::uint32_t value, std::size_t size) {
  std::size_t const header = last(archive, entry) - 46;
  REQUIRE(std::string(archive.begin() + static_cast<std::ptrdiff_t>(header), archive.begin() + static_cast<std::ptrdiff_t>(header + 2)) ==
          "PK");
  for (std::size_t i = 0; i < size; ++i) archive[header + field + i] = static_cast<std::uint8_t>(value >> (8 * i));
}
constexpr std::size_t flags = 8, method = 10, checksum = 16, size_of = 24;

std::string opening(bytes const& archive) {
  return refusal([&] { zip_archive(archive, "test.zip"); });
}
std::string reading(bytes const& archive, std::string const& entry) {
  return refusal([&] { (void)zip_archive(archive, "test.zip").read(entry); });
}
std::string text_of(bytes const& of) { return {of.begin(), of.end()}; }

}  // namespace

TEST_CASE("a zip's entries") {
  std::string long_text;
  for (int i = 0; i < 20000; ++i) long_text += std::to_string(i % 700);
  for (bool const packed : {false, true}) {
    bytes const archive =
        archive_of({{"folder/", ""}, {"folder/one.txt", "one"}, {"long", long_text}, {"none", ""}, {"a..b", "dots"}}, packed);
    zip_archive const opened(archive, "test.zip");
    REQUIRE(opened.names() == std::vector<std::string>{"folder/", "folder/one.txt", "long", "none", "a..b"});
    REQUIRE(opened.name() == "test.zip");
    REQUIRE(text_of(opened.read("folder/one.txt")) == "one");
    REQUIRE(text_of(opened.read("long")) == long_text);
    REQUIRE(opened.read("none").empty());
    REQUIRE(text_of(opened.read("a..b")) == "dots");
    REQUIRE(opened.has("long"));
    REQUIRE(!opened.has("one.txt"));
    REQUIRE((archive.size() > long_text.size()) == !packed);

    folder const dir;
    std::ofstream(dir.path / "b.zip", std::ios::binary)
        .write(reinterpret_cast<char const*>(archive.data()), static_cast<std::streamsize>(archive.size()));
    zip_archive const from_file(dir.path / "b.zip");
    REQUIRE(from_file.names() == opened.names());
    REQUIRE(text_of(from_file.read("long")) == long_text);
    zip_archive moved(dir.path / "b.zip");
    zip_archive const to(std::move(moved));
    REQUIRE(text_of(to.read("folder/one.txt")) == "one");
  }
}

TEST_CASE("the error of a damaged zip names the entry") {
  bytes const whole = archive_of({{"one.txt", "some text that is there"}, {"two.txt", "more"}});
  require_message(reading(whole, "three.txt"), {"'test.zip' has no entry 'three.txt'"});
  require_message(reading(whole, "a\nb"), {"has no entry 'a\\x0ab'"});

  bytes changed = whole;
  changed[first(changed, "that is")] ^= 1;
  require_message(reading(changed, "one.txt"), {"'test.zip', entry 'one.txt'", "CRC"});
  REQUIRE(reading(changed, "two.txt").empty());
  // libzip detects some of these on opening the archive, since the two headers of the entry differ.
  changed = whole;
  set(changed, "one.txt", checksum, 0, 4);
  require_message(reading(changed, "one.txt"), {"'test.zip'"});

  changed = whole;
  set(changed, "one.txt", method, 97, 2);  // WavPack
  require_message(reading(changed, "one.txt"), {"entry 'one.txt'", "packed by method 97"});

  // Encrypted: bit 0 of the flags.
  changed = whole;
  set(changed, "one.txt", flags, 1, 2);
  require_message(reading(changed, "one.txt"), {"entry 'one.txt'", "it is encrypted"});

  // A size too large, slightly and greatly; a size too small.
  bytes const deflated = archive_of({{"one.txt", std::string(1000, 'a')}, {"two.txt", std::string(1000, 'b')}}, true);
  REQUIRE(reading(deflated, "one.txt").empty());
  for (std::uint32_t const size : {1010u, 1u << 26, 990u, 0u}) {
    changed = deflated;
    set(changed, "one.txt", size_of, size, 4);
    CAPTURE(size);
    require_message(reading(changed, "one.txt"), {"'test.zip'"});
  }
  // A zip bomb: some hundred bytes that claim to be 1,000,000.
  changed = deflated;
  set(changed, "one.txt", size_of, 1000000, 4);
  require_message(opening(changed), {"entry 'one.txt'", "so small an archive cannot hold what its entries declare"});
  changed = deflated;
  set(changed, "one.txt", size_of, (1u << 26) + 1, 4);
  require_message(reading(changed, "one.txt"), {"it declares 67108865 bytes", "67108864"});

  // The central directory is at the end: no prefix of an archive is an archive.
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    require_message(opening({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}),
                    {"'test.zip' is not a whole zip archive"});
  }
  require_message(opening({'n', 'o', 'n', 'e'}), {"not a whole zip archive"});

  folder const dir;
  require_message(refusal([&] { zip_archive(dir.path / "none.zip"); }), {"no file", "none.zip"});
  require_message(refusal([&] { zip_archive{dir.path}; }), {"no file"});
  std::ofstream(dir.path / "empty.zip").close();
  require_message(refusal([&] { zip_archive(dir.path / "empty.zip"); }), {"empty.zip' is not a whole zip archive"});
}

TEST_CASE("a name in a zip cannot leave the archive") {
  for (std::string const name : {"../a", "a/../../b", "a/..", "/etc/passwd", "a\\..\\b", "C:a"}) {
    CAPTURE(name);
    require_message(opening(archive_of({{"good", "g"}, {name, "b"}})), {"its name leads out of the archive"});
  }
  bytes changed                      = archive_of({{"aaaa", "1"}, {"aaab", "2"}});
  changed[last(changed, "aaab") + 3] = 'a';
  require_message(opening(changed), {"entry 'aaaa'", "there are two of this name"});
  changed                            = archive_of({{"aaaa", "1"}, {"aaab", "2"}});
  changed[last(changed, "aaab") + 1] = '\n';
  require_message(opening(changed), {"control characters"});
}

TEST_CASE("real zips are read completely") {
  auto const dir = tests::data("omniglot");
  if (!dir) {
    C2F_SKIP("no omniglot here; set C2F_DATA");
  }
  zip_archive const runs(*dir / "all_runs.zip");
  REQUIRE(runs.names().size() == 880);
  std::size_t files = 0;
  for (std::string const& entry : runs.names()) files += !runs.read(entry).empty();
  REQUIRE(files == 820);  // 20 runs of 40 drawings and a list; the others are folders
  REQUIRE(runs.read("run01/class_labels.txt").size() == 980);
}
