// c2f::data::cifar10 and cifar100 on files written byte by byte, against a naive definition of crop and flip.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/split.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::require_message;
using bytes = std::vector<std::uint8_t>;

static_assert(split<pictures<100>> && split<taken<pictures<100>>> && !split<int>);
static_assert(dataset<cifar10> && dataset<cifar100> && dataset<cifar100_coarse>);
static_assert(decltype(cifar100::train)::class_count() == 100 && decltype(cifar100_coarse::train)::class_count() == 20 &&
              taken<pictures<10>>::class_count() == 10);

struct folder : tests::scratch {
  void write(std::string const& name, bytes const& content) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary)
        .write(reinterpret_cast<char const*>(content.data()), static_cast<std::streamsize>(content.size()));
  }
  void write(std::string const& name, std::string const& text) const { write(name, bytes(text.begin(), text.end())); }
};

int pixel(int record, int channel, int y, int x) { return (record * 11 + channel * 85 + y * 7 + x * 3) % 256; }

bytes records(int n, int labels, int first = 0) {
  bytes all;
  for (int r = first; r < first + n; ++r) {
    if (labels == 2) all.push_back(static_cast<std::uint8_t>(r % 20));
    all.push_back(static_cast<std::uint8_t>(labels == 2 ? r % 100 : r % 10));
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) all.push_back(static_cast<std::uint8_t>(pixel(r, c, y, x)));
  }
  return all;
}

void write_cifar100(folder const& dir, std::string const& below = "") {
  dir.write(below + "train.bin", records(25, 2));
  dir.write(below + "test.bin", records(5, 2, 40));
}

double normalised(int byte, int c) {
  double const mean[] = {.4914, .4822, .4465}, deviation[] = {.2023, .1994, .2010};
  return (byte / 255.0 - mean[c]) / deviation[c];
}

// RandomCrop(32, padding 4), RandomHorizontalFlip, ToTensor, Normalize, written naively: a 40x40 picture, a window, a mirror.
std::vector<double> naive(int record, int top, int left, bool mirror) {
  int padded[3][40][40] = {};
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x) padded[c][y + 4][x + 4] = pixel(record, c, y, x);
  std::vector<double> out;
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 32; ++x)
      for (int c = 0; c < 3; ++c) out.push_back(normalised(padded[c][top + y][left + (mirror ? 31 - x : x)], c));
  return out;
}

template <class Split>
std::vector<float> read(Split const& s, std::int64_t id, c2f::random_stream* augment, std::int64_t* label) {
  std::vector<float> pixels(3072);
  s.read(id, augment, pixels.data(), label);
  return pixels;
}

double largest_difference(std::vector<float> const& a, std::vector<double> const& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("cifar100 reads labels and pixels from the offsets of the format") {
  folder dir;
  write_cifar100(dir);
  cifar100 const fine(dir.path, counts::any);
  cifar100_coarse const coarse(dir.path, counts::any);
  REQUIRE(fine.train.size() == 25);
  REQUIRE(fine.test.size() == 5);
  REQUIRE(fine.train.name() == "CIFAR-100 train");
  REQUIRE(fine.test.name() == "CIFAR-100 test");
  for (int id : {0, 7, 24}) {
    std::int64_t label = -1;
    auto const pixels  = read(fine.train, id, nullptr, &label);
    REQUIRE(label == id);
    REQUIRE(largest_difference(pixels, naive(id, 4, 4, false)) < 1e-6);
    read(coarse.train, id, nullptr, &label);
    REQUIRE(label == id % 20);
  }
  std::int64_t label = -1;
  read(fine.test, 3, nullptr, &label);
  REQUIRE(label == 43);
  REQUIRE(fine.test.label(3) == 43);

  auto const rgb = fine.train.picture(7);
  REQUIRE(rgb.size() == 3072);
  REQUIRE(rgb[3 * (5 * 32 + 9) + 1] == pixel(7, 1, 5, 9));
}

TEST_CASE("cifar10 joins its five training files in order") {
  folder dir;
  for (int i = 0; i < 5; ++i) dir.write("cifar-10-batches-bin/data_batch_" + std::to_string(i + 1) + ".bin", records(i + 1, 1, 10 * i));
  dir.write("cifar-10-batches-bin/test_batch.bin", records(2, 1));
  dir.write("cifar-10-batches-bin/batches.meta.txt", "airplane\r\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  cifar10 const data(dir.path, counts::any);  // the parent of the folder
  REQUIRE(data.train.size() == 1 + 2 + 3 + 4 + 5);
  REQUIRE(data.test.size() == 2);
  std::int64_t label = -1;
  REQUIRE(largest_difference(read(data.train, 4, nullptr, &label), naive(21, 4, 4, false)) < 1e-6);  // the second of batch 3
  REQUIRE(label == 1);
  REQUIRE(data.train.classes() ==
          std::vector<std::string>{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"});
}

TEST_CASE("augmentation equals the naive pad, crop and flip and depends on the stream alone") {
  folder dir;
  write_cifar100(dir);
  cifar100 const data(dir.path, counts::any);
  bool seen[9][2] = {};
  for (std::uint64_t epoch = 0; epoch < 200; ++epoch) {
    int const id = static_cast<int>(epoch % 25);
    c2f::random_stream draw{5, c2f::purpose::augment, epoch, 0}, again = draw;
    int const top = static_cast<int>(again.below(9)), left = static_cast<int>(again.below(9));
    bool const mirror = again.below(2) == 1;
    seen[top][mirror] = seen[left][mirror] = true;
    std::int64_t label                     = -1;
    REQUIRE(largest_difference(read(data.train, id, &draw, &label), naive(id, top, left, mirror)) < 1e-6);
    REQUIRE(label == id);
  }
  REQUIRE(std::all_of(&seen[0][0], &seen[0][0] + 18, [](bool b) { return b; }));
}

TEST_CASE("a flip reverted is the picture, and the padding of a crop is black") {
  folder dir;
  write_cifar100(dir);
  cifar100 const data(dir.path, counts::any);
  std::int64_t label = -1;
  auto const plain   = read(data.train, 3, nullptr, &label);
  bool flipped = false, padded = false;
  for (std::uint64_t epoch = 0; epoch < 2000; ++epoch) {
    c2f::random_stream draw{1, c2f::purpose::augment, epoch, 3}, again = draw;
    int const top = static_cast<int>(again.below(9)), left = static_cast<int>(again.below(9));
    bool const mirror = again.below(2) == 1;
    auto const pixels = read(data.train, 3, &draw, &label);
    if (top == 4 && left == 4 && mirror) {
      flipped = true;
      for (int i = 0; i < 1024; ++i)
        for (int c = 0; c < 3; ++c)
          REQUIRE(pixels[static_cast<std::size_t>(3 * i + c)] == plain[static_cast<std::size_t>(3 * (i / 32 * 32 + 31 - i % 32) + c)]);
    }
    if (top == 0) {
      padded = true;
      for (int i = 0; i < 4 * 32; ++i)
        for (int c = 0; c < 3; ++c) REQUIRE(std::abs(pixels[static_cast<std::size_t>(3 * i + c)] - normalised(0, c)) < 1e-6);
    }
  }
  REQUIRE(flipped);
  REQUIRE(padded);
}

TEST_CASE("class names are optional; their number must be that of the classes") {
  folder dir;
  write_cifar100(dir);
  REQUIRE(cifar100(dir.path, counts::any).train.classes().empty());
  std::string names;
  for (int i = 0; i < 100; ++i) names += "class_" + std::to_string(i) + "\n";
  dir.write("fine_label_names.txt", names);
  REQUIRE(cifar100(dir.path, counts::any).test.classes().at(99) == "class_99");
  dir.write("fine_label_names.txt", names + "one too many");
  require_message(refusal([&] { cifar100(dir.path, counts::any); }), {"fine_label_names.txt", "101 names", "100"});
  dir.write("fine_label_names.txt", bytes(100000, 'x'));
  require_message(refusal([&] { cifar100(dir.path, counts::any); }), {"fine_label_names.txt", "1 names"});
}

TEST_CASE("take gives the first samples, at most as many as there are") {
  folder dir;
  write_cifar100(dir);
  cifar100 const data(dir.path, counts::any);
  auto const few = take(data.train, 10);
  REQUIRE(few.size() == 10);
  REQUIRE(few.name() == "CIFAR-100 train");
  std::int64_t label = -1;
  REQUIRE(read(few, 9, nullptr, &label) == read(data.train, 9, nullptr, &label));
  REQUIRE(take(data.train, 25).size() == 25);
  require_message(refusal([&] { (void)take(data.train, 26); }), {"26", "CIFAR-100 train", "25"});
  require_message(refusal([&] { (void)take(data.train, 0); }), {"0 samples", "1 to 25"});
  require_message(refusal([&] { (void)take(data.train, -1); }), {"-1 samples"});
}

TEST_CASE("the error of a missing folder or file says where to get it") {
  folder dir;
  auto const open = [&] { cifar100(dir.path, counts::any); };
  require_message(refusal([&] { cifar100("/nowhere/at/all"); }), {"'/nowhere/at/all'", "CIFAR-100", "cifar-100-binary.tar.gz"});
  require_message(refusal(open), {dir.path.string(), "train.bin", "cifar-100-binary", "download"});
  require_message(refusal([&] { cifar10(dir.path, counts::any); }), {"data_batch_1.bin", "cifar-10-binary.tar.gz"});
  dir.write("train.bin", records(3, 2));
  require_message(refusal(open), {"test.bin", "no file"});
  fs::create_directory(dir.path / "test.bin");
  require_message(refusal(open), {"test.bin", "no file"});
  for (int i : {1, 2, 3, 5}) dir.write("data_batch_" + std::to_string(i) + ".bin", records(1, 1));
  require_message(refusal([&] { cifar10(dir.path, counts::any); }), {"data_batch_4.bin"});
}

TEST_CASE("a file of the wrong size is refused with size and offset") {
  folder dir;
  write_cifar100(dir);
  auto const open = [&](counts allowed) { return refusal([&] { cifar100(dir.path, allowed); }); };
  require_message(open(counts::official), {"train.bin", "76850 bytes", "153700000", "before record 25 at byte 76850", "download"});

  bytes cut = records(25, 2);
  cut.pop_back();
  dir.write("train.bin", cut);
  require_message(open(counts::any), {"train.bin", "76849 bytes", "inside record 24 at byte 73776"});
  dir.write("train.bin", bytes{});
  require_message(open(counts::any), {"train.bin", "0 bytes"});
  dir.write("train.bin", bytes(3073));  // a record of CIFAR-10
  require_message(open(counts::any), {"train.bin", "3073 bytes", "record 0 at byte 0"});

  // A sparse file much larger than any memory: refused before memory is allocated.
  fs::resize_file(dir.path / "train.bin", 3074ull << 32);
  require_message(open(counts::any), {"train.bin", "what follows byte 153700000"});
  fs::resize_file(dir.path / "train.bin", 153700001);
  require_message(open(counts::official), {"153700001 bytes", "what follows byte 153700000"});
}

TEST_CASE("a label out of range is refused with offset, value and range") {
  folder dir;
  write_cifar100(dir);
  bytes wrong         = records(25, 2);
  wrong[3 * 3074 + 1] = 100;
  dir.write("train.bin", wrong);
  require_message(refusal([&] { cifar100(dir.path, counts::any); }), {"train.bin", "byte 9223", "fine label 100", "record 3", "0...99"});
  wrong[3 * 3074 + 1] = 99;
  wrong[24 * 3074]    = 255;
  dir.write("train.bin", wrong);
  require_message(refusal([&] { cifar100_coarse(dir.path, counts::any); }), {"train.bin", "byte 73776", "coarse label 255", "0...19"});
  write_cifar100(dir);
  wrong    = records(5, 2);
  wrong[1] = 200;
  dir.write("test.bin", wrong);
  require_message(refusal([&] { cifar100(dir.path, counts::any); }), {"test.bin", "byte 1:", "200"});
}

TEST_CASE("arbitrary bytes are read or refused") {
  folder dir;
  c2f::random_stream draw{9, c2f::purpose::synthesis, 0, 0};
  for (int round = 0; round < 40; ++round) {
    bytes train(round % 2 ? 3074 * (1 + draw.below(3)) : draw.below(9000)), test(3074);
    for (auto* file : {&train, &test})
      for (auto& b : *file) b = static_cast<std::uint8_t>(draw.below(round % 4 < 2 ? 256 : 20));
    dir.write("train.bin", train);
    dir.write("test.bin", test);
    dir.write("fine_label_names.txt",
              bytes(train.begin(), train.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(train.size(), 300))));
    if (round % 3) fs::remove(dir.path / "fine_label_names.txt");
    try {
      cifar100 const data(dir.path, counts::any);
      REQUIRE(data.train.label(data.train.size() - 1) < 100);
    } catch (c2f::input_error const&) {
    }
  }
}

TEST_CASE("the real CIFAR-100") {
  auto const dir = tests::data("cifar-100-binary");
  if (!dir) C2F_SKIP("no CIFAR-100 here; set C2F_DATA to the folder that holds cifar-100-binary");
  cifar100 const data(dir->parent_path());
  REQUIRE(data.train.size() == 50000);
  REQUIRE(data.test.size() == 10000);
  REQUIRE(data.train.classes().at(0) == "apple");
  std::vector<int> train(100), test(100);
  for (std::int64_t id = 0; id < 50000; ++id) ++train[static_cast<std::size_t>(data.train.label(id))];
  for (std::int64_t id = 0; id < 10000; ++id) ++test[static_cast<std::size_t>(data.test.label(id))];
  REQUIRE(train == std::vector<int>(100, 500));
  REQUIRE(test == std::vector<int>(100, 100));
  // The mean of the pixels after normalisation: near 0, not exactly, since the constants are those of CIFAR-10.
  std::vector<float> pixels(3072);
  std::int64_t label = 0;
  double sum         = 0;
  for (std::int64_t id = 0; id < 2000; ++id) {
    data.train.read(id, nullptr, pixels.data(), &label);
    for (float const p : pixels) sum += p;
  }
  REQUIRE(std::abs(sum / (2000 * 3072)) < 0.3);
}
