// Atomic file replacement (data/io/whole_file.hpp), and SHA-256 (data/io/sha256.hpp) against published digests.
#include <c2f/data/io/sha256.hpp>
#include <c2f/data/io/whole_file.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using c2f::data::whole_file;

struct scratch : tests::scratch {
  [[nodiscard]] auto files() const { return std::distance(fs::directory_iterator(path), fs::directory_iterator{}); }
};

std::string text_of(fs::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(fs::path const& path, std::string_view text) {
  whole_file out(path);
  out.write(text);
  out.commit();
}

mode_t mode_of(fs::path const& path) {
  struct ::stat found{};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

}  // namespace

TEST_CASE("a file exists once it is committed, and not before") {
  scratch const s;
  fs::path const path = s.path / "a.txt";
  {
    whole_file out(path);
    out.write("one ");
    REQUIRE(!fs::exists(path));
    out.write("two", 3);
    out.commit();
    REQUIRE(text_of(path) == "one two");
  }
  REQUIRE(text_of(path) == "one two");
  REQUIRE(s.files() == 1);
  {
    whole_file out(path);
    out.write("three");
  }
  REQUIRE(text_of(path) == "one two");  // not committed: unchanged
  REQUIRE(s.files() == 1);
  whole_file first(path), second(path);  // two writers use different temporary names
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  REQUIRE(text_of(path) == "first");
  REQUIRE(s.files() == 1);
}

TEST_CASE("a file name without a folder is written to the current folder") {
  scratch const s;
  fs::path const before = fs::current_path();
  fs::current_path(s.path);
  write_file("plain.txt", "x");
  fs::current_path(before);
  REQUIRE(text_of(s.path / "plain.txt") == "x");
}

TEST_CASE("a new file has the default mode; a replacement has the mode of the replaced file") {
  scratch const s;
  fs::path const path = s.path / "a.txt";
  mode_t const before = ::umask(0027);
  write_file(path, "x");
  REQUIRE(mode_of(path) == 0640);
  ::umask(0022);
  REQUIRE(::chmod(path.c_str(), 0604) == 0);
  write_file(path, "y");
  ::umask(before);
  REQUIRE(mode_of(path) == 0604);
}

TEST_CASE("a temporary file of a dead process is skipped") {
  scratch const s;
  fs::path const path = s.path / "a.txt";
  for (int count = 0; count < 200; ++count)
    std::ofstream(path.string() + ".part" + std::to_string(::getpid()) + "-" + std::to_string(count)) << "old";
  write_file(path, "x");
  REQUIRE(text_of(path) == "x");
  REQUIRE(s.files() == 201);
}

TEST_CASE("a failed write reports the system call and the reason") {
  scratch const s;
  std::string const what_to_do = "; choose a folder that can be written and has room";
  fs::path const nowhere       = s.path / "no" / "a.txt";
  REQUIRE(tests::refusal([&] { write_file(nowhere, "x"); }) ==
          "cannot write '" + nowhere.string() + "': open: No such file or directory" + what_to_do);
  fs::create_directory(s.path / "dir");
  REQUIRE(tests::refusal([&] { write_file(s.path / "dir", "x"); }) ==
          "cannot write '" + (s.path / "dir").string() + "': it exists and is not a regular file; choose another name");
  REQUIRE(tests::refusal([&] { write_file("/dev/full", "x"); }) ==
          "cannot write '/dev/full': it exists and is not a regular file; choose another name");

  // A limit on the file size stops the second write: a short write first, then the error.
  fs::path const path = s.path / "a.txt";
  write_file(path, "before");
  auto const ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit was{}, few{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &was) == 0);
  few          = was;
  few.rlim_cur = 10;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &few) == 0);
  std::string const message = tests::refusal([&] { write_file(path, "more than ten bytes"); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &was) == 0);
  std::signal(SIGXFSZ, ignored);
  REQUIRE(message == "cannot write '" + path.string() + "': write: File too large" + what_to_do);
  REQUIRE(text_of(path) == "before");
  REQUIRE(s.files() == 2);
}

TEST_CASE("SHA-256 of the published messages") {
  // FIPS 180-4's examples (csrc.nist.gov, "SHA256.pdf"), and the empty message.
  REQUIRE(c2f::data::sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  REQUIRE(c2f::data::sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  REQUIRE(c2f::data::sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // A million times 'a', in pieces, and from a file whose size is not a multiple of the reader's buffer.
  std::string const million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  c2f::data::sha256 sum;
  for (int i = 0; i < 1000; ++i) sum.update(std::string(1000, 'a').data(), 1000);
  REQUIRE(sum.hex() == million);
  scratch const s;
  write_file(s.path / "a", std::string(1'000'000, 'a'));
  REQUIRE(c2f::data::sha256_of_file(s.path / "a") == million);
  write_file(s.path / "b", std::string(std::size_t{1} << 17, 'a'));
  REQUIRE(c2f::data::sha256_of_file(s.path / "b") == c2f::data::sha256_of(std::string(std::size_t{1} << 17, 'a')));
  REQUIRE(tests::refusal([&] { static_cast<void>(c2f::data::sha256_of_file(s.path / "c")); }) ==
          "cannot read '" + (s.path / "c").string() + "': No such file or directory; check the path");
  REQUIRE(tests::refusal([&] { static_cast<void>(c2f::data::sha256_of_file(s.path)); }) ==
          "cannot read '" + s.path.string() + "': Is a directory; check the path");
}
