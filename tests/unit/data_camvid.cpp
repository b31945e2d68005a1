// c2f::data::camvid on folders written by this test, and on the real set.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/draw/overlay.hpp>
#include <c2f/data/split.hpp>

#include "catch.hpp"
#include "png_file.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::write_png;
using bytes = std::vector<std::uint8_t>;

static_assert(split<street_scenes<180, 240>> && dataset<camvid<>>);

constexpr std::int64_t height = 6, width = 8;
using small = camvid<height, width>;

// Blocks of 2 x 2 pixels. The label of a block determines its colour, so that picture and labels can be compared after augmentation.
std::uint8_t number_at(std::int64_t y, std::int64_t x) { return static_cast<std::uint8_t>((y / 2 * 4 + x / 2) % 12); }

struct folder : tests::scratch {
  folder() {
    for (std::string const below : {"train", "trainannot", "val", "valannot"}) fs::create_directories(path / below);
    for (std::string const name : {"a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "g.png", "h.png"}) pair("train", name);
    pair("val", "z.png");
  }
  void pair(std::string const& part, std::string const& name) const {
    bytes rgb, numbers;
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        numbers.push_back(number_at(y, x));
        for (int c = 0; c < 3; ++c) rgb.push_back(static_cast<std::uint8_t>(20 * number_at(y, x) + c));
      }
    write_png(path / part / name, rgb, height, width, SPNG_COLOR_TYPE_TRUECOLOR);
    write_png(path / (part + "annot") / name, numbers, height, width, SPNG_COLOR_TYPE_GRAYSCALE);
  }
};

double byte_of(float normalised, int c) {
  double const mean[] = {.485, .456, .406}, deviation[] = {.229, .224, .225};
  return (static_cast<double>(normalised) * deviation[c] + mean[c]) * 255;
}

}  // namespace

TEST_CASE("camvid reads pictures and labels unchanged") {
  folder dir;
  small const data(dir.path);
  REQUIRE(data.train.size() == 8);
  REQUIRE(data.test.size() == 1);
  REQUIRE(data.train.classes().size() == static_cast<std::size_t>(data.train.class_count()));
  std::vector<float> pixels(3 * height * width);
  std::vector<std::int64_t> truth(height * width);
  data.train.read(3, nullptr, pixels.data(), truth.data());
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto const i = static_cast<std::size_t>(y * width + x);
      REQUIRE(truth[i] == number_at(y, x));
      for (int c = 0; c < 3; ++c)
        REQUIRE(std::abs(byte_of(pixels[3 * i + static_cast<std::size_t>(c)], c) - (20 * number_at(y, x) + c)) < 1e-3);
    }
  REQUIRE(data.train.picture(3)[5] == 20 * number_at(0, 1) + 2);
  REQUIRE(data.train.labels(3)[8] == number_at(1, 0));
}

TEST_CASE("camvid augments picture and labels together") {
  folder dir;
  small const data(dir.path);
  std::vector<float> pixels(3 * height * width);
  std::vector<std::int64_t> truth(height * width);
  int mirrored = 0;
  std::set<std::vector<std::int64_t>> seen;
  for (std::uint64_t draw = 0; draw < 200; ++draw) {
    c2f::random_stream augment{7, c2f::purpose::augment, draw, 0};
    data.train.read(0, &augment, pixels.data(), truth.data());
    seen.insert(truth);
    mirrored += truth[0] % 4 > truth[7] % 4;  // the blocks of a row are numbered from the left
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        auto const i = static_cast<std::size_t>(y * width + x);
        // Within a block the colour is that of its label. Between two blocks it is interpolated: at most half of the way to the farthest
        // neighbour, 4 labels down and 1 to the side.
        REQUIRE(std::abs(byte_of(pixels[3 * i], 0) - 20 * static_cast<double>(truth[i])) <= 20 * 0.5 * 5 + 1e-3);
        // Neighbours in the window are the same or neighbouring blocks of the picture.
        if (x > 0) REQUIRE(std::abs(truth[i] % 4 - truth[i - 1] % 4) <= 1);
      }
  }
  REQUIRE(mirrored > 60);
  REQUIRE(mirrored < 140);
  REQUIRE(seen.size() > 20);
  // The same draw, the same sample.
  auto const read = [&] {
    c2f::random_stream augment{7, c2f::purpose::augment, 3, 0};
    data.train.read(0, &augment, pixels.data(), truth.data());
    return pixels;
  };
  REQUIRE(read() == read());
}

TEST_CASE("camvid keeps the ids of faulty samples and reports the reason") {
  folder dir;
  fs::remove(dir.path / "train/a.png");
  fs::remove(dir.path / "trainannot/b.png");
  fs::resize_file(dir.path / "train/c.png", 60);
  write_png(dir.path / "train/d.png", bytes(3 * 4 * 4), 4, 4, SPNG_COLOR_TYPE_TRUECOLOR);
  write_png(dir.path / "trainannot/e.png", bytes(height * width, 12), height, width, SPNG_COLOR_TYPE_GRAYSCALE);
  write_png(dir.path / "trainannot/f.png", bytes(height * width, 11), height, width, SPNG_COLOR_TYPE_GRAYSCALE);
  write_png(dir.path / "trainannot/g.png", bytes(3 * height * width), height, width, SPNG_COLOR_TYPE_TRUECOLOR);
  small const data(dir.path);
  REQUIRE(data.train.size() == 8);
  std::vector<std::string> const wanted{"train/a.png'",      "trainannot/b.png'", "train/c.png'",    "is 4 x 4 pixels and not 8 x 6",
                                        "has the number 12", "is all void",       "several channels"};
  std::vector<float> pixels(3 * height * width);
  std::vector<std::int64_t> truth(height * width);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto const id      = static_cast<std::int64_t>(i);
    auto const message = refusal([&] { data.train.read(id, nullptr, pixels.data(), truth.data()); });
    CAPTURE(message, wanted[i]);
    REQUIRE(message.find(wanted[i]) != std::string::npos);
    REQUIRE(message.find('\n') == std::string::npos);
    REQUIRE(data.train.fault(id) == message);
  }
  REQUIRE(data.train.fault(7).empty());
  data.train.read(7, nullptr, pixels.data(), truth.data());
  REQUIRE(truth[9] == number_at(1, 1));

  REQUIRE(refusal([&] { small(dir.path / "nowhere"); }).find("cannot list the folder") == 0);
  fs::remove(dir.path / "val/z.png");
  fs::remove(dir.path / "valannot/z.png");
  REQUIRE(refusal([&] { small{dir.path}; }).find("has no pictures") != std::string::npos);
}

TEST_CASE("camvid reads the real set, and its classes are where they are expected") {
  auto const dir = tests::data("camvid_240x180");
  if (!dir) {
    C2F_SKIP("no camvid_240x180 here; set C2F_DATA");
  }
  camvid<> const data(*dir);
  REQUIRE(data.train.size() == 367);
  REQUIRE(data.test.size() == 101);
  std::array<double, 12> pixels{}, rows{};
  for (std::int64_t id = 0; id < data.train.size(); ++id) {
    REQUIRE(data.train.fault(id).empty());
    auto const& labels = data.train.labels(id);
    for (std::size_t i = 0; i < labels.size(); ++i) pixels[labels[i]] += 1, rows[labels[i]] += static_cast<double>(i / 240);
  }
  auto const mean_row = [&](std::size_t k) { return rows[k] / pixels[k]; };
  // The sky is above everything, road and pavement are below. The most frequent are road, building, sky, tree and car; bicyclists are the
  // rarest: the order of the frequencies published for CamVid.
  for (std::size_t k = 1; k < 11; ++k) REQUIRE(mean_row(0) < mean_row(k));
  for (std::size_t const k : {0u, 1u, 2u, 5u, 6u, 7u, 8u, 9u, 10u}) REQUIRE(mean_row(k) < std::min(mean_row(3), mean_row(4)));
  for (std::size_t const k : {1u, 0u, 5u, 8u, 4u}) REQUIRE(pixels[3] > pixels[k]);
  for (std::size_t const k : {0u, 5u, 8u, 4u}) REQUIRE(pixels[1] > pixels[k]);
  for (std::size_t const k : {2u, 6u, 7u, 9u}) REQUIRE(pixels[10] < pixels[k]);
  for (std::size_t const k : {2u, 6u, 7u, 9u}) REQUIRE(pixels[4] > pixels[k]);
}
