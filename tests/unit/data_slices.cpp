// Slices cut out of volumes and joined again, and splits made of pairs of NIfTI files written by this test.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <ATen/ops/zeros.h>

#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/datasets/organ_slices.hpp>
#include <c2f/data/draw/overlay.hpp>
#include <c2f/data/volumes/slices.hpp>
#include <c2f/data/split.hpp>
#include <c2f/metrics/overlap.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;

static_assert(split<organ_slices<64, 64>> && dataset<organ<64, 64>>);

// The value of a voxel encodes its position.
volume<float> numbered(std::array<std::int64_t, 3> const& dims) {
  volume<float> v(dims);
  for (std::int64_t z = 0; z < dims[2]; ++z)
    for (std::int64_t y = 0; y < dims[1]; ++y)
      for (std::int64_t x = 0; x < dims[0]; ++x) v(x, y, z) = static_cast<float>(100 * x + 10 * y + z + 1);
  return v;
}

float at_place(volume<float> const& v, int axis, std::int64_t slice, std::int64_t row, std::int64_t column) {
  return axis == 0 ? v(slice, row, column) : axis == 1 ? v(row, slice, column) : v(row, column, slice);
}

struct folder : tests::scratch {
  folder() { fs::create_directories(path / "images"), fs::create_directories(path / "labels"); }
  void pair(std::string const& name, std::array<std::int64_t, 3> const& dims = {4, 5, 6}) const {
    volume<std::uint8_t> labels(dims);
    labels(1, 2, 3) = 1, labels(1, 3, 3) = 2, labels(2, 2, 2) = 1;
    write_nifti(path / "images" / name, numbered(dims));
    write_nifti(path / "labels" / name, labels);
  }
};

}  // namespace

TEST_CASE("cut_slices: three neighbours as channels in the middle of the canvas") {
  auto const v = numbered({3, 4, 5});
  for (int const axis : {0, 1, 2}) {
    std::int64_t const count   = v.dims[static_cast<std::size_t>(axis)];
    auto const [height, width] = slice_size(v.dims, axis);
    auto const images          = cut_slices(v, axis, 0, count, 7, 6);
    REQUIRE(images.sizes() == at::IntArrayRef({count, 3, 7, 6}));
    std::int64_t const top = (7 - height) / 2, left = (6 - width) / 2;
    for (std::int64_t s = 0; s < count; ++s)
      for (std::int64_t c = 0; c < 3; ++c)
        for (std::int64_t y = 0; y < 7; ++y)
          for (std::int64_t x = 0; x < 6; ++x) {
            bool const inside  = y >= top && y < top + height && x >= left && x < left + width;
            float const wanted = inside ? at_place(v, axis, std::clamp<std::int64_t>(s + c - 1, 0, count - 1), y - top, x - left) : 0.0f;
            REQUIRE(images[s][c][y][x].item<float>() == wanted);
          }
    REQUIRE(cut_slices(v, axis, 1, 2, 7, 6).equal(images.narrow(0, 1, 2)));
  }
  REQUIRE_THROWS_AS(cut_slices(v, 3, 0, 1, 7, 6), c2f::input_error);
  REQUIRE_THROWS_AS(cut_slices(v, 2, 4, 2, 7, 6), c2f::input_error);
  REQUIRE_THROWS_AS(cut_slices(v, 2, 0, 1, 2, 6), c2f::input_error);
  REQUIRE_THROWS_AS(slice_of(v, 2, 5), c2f::input_error);
}

TEST_CASE("join_slices is the inverse of cut_slices") {
  auto const v = numbered({3, 4, 5});
  for (int const axis : {0, 1, 2}) {
    auto const images = cut_slices(v, axis, 0, v.dims[static_cast<std::size_t>(axis)], 8, 9);
    REQUIRE(join_slices(images.narrow(1, 1, 1), v.dims, axis).values == v.values);
    // All predictions of a slice are equal, so their mean is the same up to rounding.
    auto const joined = join_slices(images, v.dims, axis);
    for (std::size_t i = 0; i < v.values.size(); ++i) REQUIRE(std::abs(joined.values[i] - v.values[i]) <= 1e-4f);
  }
  REQUIRE_THROWS_AS(join_slices(at::zeros({5, 2, 8, 8}), v.dims, 2), c2f::input_error);
  REQUIRE_THROWS_AS(join_slices(at::zeros({4, 1, 8, 8}), v.dims, 2), c2f::input_error);
  REQUIRE_THROWS_AS(join_slices(at::zeros({5, 1, 2, 8}), v.dims, 2), c2f::input_error);
  REQUIRE_THROWS_AS(join_slices(at::zeros({5, 8, 8}), v.dims, 2), c2f::input_error);
}

TEST_CASE("join_slices: the mean of three predictions, of two at the ends") {
  // Sample s predicts 10 s + c for slice s - 1 + c. Slice 0: (1 + 10) / 2; slice 1: (2 + 11 + 20) / 3; slice 2: (12 + 21 + 30) / 3;
  // slice 3: (22 + 31) / 2.
  auto predictions = at::zeros({4, 3, 1, 1});
  for (int s = 0; s < 4; ++s)
    for (int c = 0; c < 3; ++c) predictions[s][c].fill_(10 * s + c);
  REQUIRE(join_slices(predictions, {1, 1, 4}, 2).values == std::vector<float>{5.5f, 11, 21, 26.5f});
  REQUIRE(join_slices(predictions.narrow(0, 0, 1), {1, 1, 1}, 2).values == std::vector<float>{1});
}

TEST_CASE("least_target_pixels is RSTN's rule") {
  // 50 slices show the target, with 1 ... 50 pixels; floor(50 * .98) = 49 are kept: those with 2 pixels or more.
  std::vector<std::int64_t> pixels(30, 0);
  for (std::int64_t n = 50; n >= 1; --n) pixels.push_back(n);
  REQUIRE(least_target_pixels(pixels, .98) == 2);
  REQUIRE(least_target_pixels(pixels, 1) == 1);
  REQUIRE(least_target_pixels(pixels, .5) == 26);
  REQUIRE(least_target_pixels({0, 7, 0}, .98) == 7);  // floor(.98) = 0, but at least one is kept
  REQUIRE(least_target_pixels({3, 3, 3, 9}, .5) == 3);
  REQUIRE_THROWS_AS(least_target_pixels({0, 0}, .98), c2f::input_error);
  REQUIRE_THROWS_AS(least_target_pixels({1}, 1.5), c2f::input_error);
}

TEST_CASE("organ: samples, truth, padding and the assignment of the volumes to splits") {
  folder dir;
  for (int i = 0; i < 10; ++i) dir.pair("v" + std::to_string(i) + ".nii.gz");
  organ<8, 10> const data(dir.path / "images", dir.path / "labels", {.window = {{101, 301}}, .keep = 1, .padding_label = 255});
  REQUIRE(data.faults.empty());
  REQUIRE(data.test.cases().size() == 2);
  REQUIRE(data.train.cases().size() == 8);
  REQUIRE(data.train.size() == 16);  // slices 2 and 3 of each
  std::set<std::string> names;
  for (auto const* part : {&data.train, &data.test})
    for (auto const& c : part->cases()) REQUIRE(names.insert(c.name).second);

  std::vector<float> pixels(3 * 80);
  std::vector<std::int64_t> truth(80);
  data.train.read(1, nullptr, pixels.data(), truth.data());
  REQUIRE(data.train.slice_of(1) == 3);
  REQUIRE(data.train.case_of(1) == 0);
  auto const& c = data.train.cases()[0];
  // A slice across z is 4 x 5 here: rows 2 ... 5 and columns 2 ... 6 of the canvas.
  for (std::int64_t y = 0; y < 8; ++y)
    for (std::int64_t x = 0; x < 10; ++x) {
      bool const inside = y >= 2 && y < 6 && x >= 2 && x < 7;
      auto const at     = static_cast<std::size_t>(y * 10 + x);
      REQUIRE(truth[at] == (!inside ? 255 : y == 3 && (x == 4 || x == 5)));
      for (std::int64_t k = 0; k < 3; ++k)
        REQUIRE(pixels[3 * at + static_cast<std::size_t>(k)] == (inside ? c.intensities(y - 2, x - 2, 2 + k) : 0.0f));
    }
  // Windowed: 101 ... 301 becomes 0 ... 1; voxel (1, 2, 3) is 124.
  REQUIRE(c.intensities(1, 2, 3) == (124.0f - 101) / 200);
  REQUIRE(c.intensities(0, 0, 0) == 0.0f);

  auto const across_x = data.train.along(0);
  REQUIRE(&across_x.cases() == &data.train.cases());
  REQUIRE(across_x.size() == 16);
  REQUIRE(across_x.slice_of(0) == 1);
  REQUIRE_THROWS_AS(data.train.along(7), c2f::input_error);

  organ<8, 10> const again(dir.path / "images", dir.path / "labels", {.label = 2, .keep = 1});
  REQUIRE(again.test.cases()[0].name == data.test.cases()[0].name);
  REQUIRE(again.train.size() == 8);  // label 2 is on slice 3 alone
  bool other = false;
  for (std::uint64_t seed = 2; seed < 6; ++seed)
    other =
        other || organ<8, 10>(dir.path / "images", dir.path / "labels", {.seed = seed}).test.cases()[0].name != data.test.cases()[0].name;
  REQUIRE(other);

  loader<organ_slices<8, 10>> batches(data.train, {.batch = 5});
  for (auto const& b : batches.epoch(0)) {
    REQUIRE(b.images.size(2) == 8);
    REQUIRE(b.truth.sizes() == at::IntArrayRef({b.images.size(0), 8, 10}));
  }
}

TEST_CASE("organ: unusable pairs are reported, or are an error") {
  folder dir;
  for (std::string const name : {"a.nii", "b.nii", "c.nii", "d.nii", "e.nii", "f.nii", "g.nii", "h.nii", "i.nii"}) dir.pair(name);
  auto const images = dir.path / "images", labels = dir.path / "labels";
  fs::remove(labels / "a.nii");
  fs::remove(images / "b.nii");
  fs::resize_file(images / "c.nii", 500);
  write_nifti(labels / "d.nii", volume<std::uint8_t>({4, 5, 7}));
  write_nifti(labels / "e.nii", volume<std::uint8_t>({4, 5, 6}));
  auto broken     = numbered({4, 5, 6});
  broken(3, 0, 1) = std::numeric_limits<float>::quiet_NaN();
  write_nifti(images / "f.nii", broken);
  dir.pair("g.nii", {4, 11, 6});
  std::ofstream(images / "._h.nii") << "a file of another system";

  for (double const fraction : {20., -.1, std::nan("")})
    tests::require_message(tests::refusal([&] { organ<8, 10>(images, labels, {.test_fraction = fraction}); }),
                           {"organ_options.test_fraction is"});
  organ<8, 10> const data(images, labels);
  REQUIRE(data.train.cases().size() == 1);
  REQUIRE(data.test.cases().size() == 1);
  std::vector<std::string> const wanted{"labels/a.nii'",     "images/b.nii'",         "declares 832 bytes and it has 500",
                                        "4 x 5 x 7",         "no voxel of the organ", "voxel (3, 0, 1) is nan",
                                        "a canvas of 8 x 10"};
  REQUIRE(data.faults.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(data.faults[i], wanted[i]);
    REQUIRE(data.faults[i].find(wanted[i]) != std::string::npos);
    REQUIRE(data.faults[i].find(std::string(1, static_cast<char>('a' + i)) + ".nii'") != std::string::npos);
    REQUIRE(data.faults[i].find('\n') == std::string::npos);
  }
  REQUIRE(refusal([&] { organ<8, 10>(images, labels, {.strict = true}); }) == data.faults[0]);
  REQUIRE(refusal([&] { organ<8, 10>(images, dir.path / "none"); }).find("cannot list the folder") == 0);
  fs::remove(images / "i.nii");
  REQUIRE(refusal([&] { organ<8, 10>(images, labels); }).find("have 1 pairs") != std::string::npos);
}

TEST_CASE("organ: image and label lie in the same place, whatever says so") {
  folder dir;
  std::array<std::int64_t, 3> const dims{4, 5, 6};
  auto const images = dir.path / "images", labels = dir.path / "labels";
  // Header of the pair: the same rotation as a quaternion, which rounds, and as a matrix; b = .6, a = .8.
  placement by_matrix;
  by_matrix.affine  = {{{1, 0, 0, -9}, {0, .28f, -.96f, 4}, {0, .96f, .28f, 7}}};
  auto header       = detail::header_for(dims, by_matrix, 2, 1);
  header.sform_code = 0, header.qform_code = 1, header.quatern_b = .6f, header.pixdim[0] = 1;
  header.qoffset_x = -9, header.qoffset_y = 4, header.qoffset_z = 7;
  placement const by_quaternion = detail::place_of({header, false, {}, 0, 0, 1, 0}, "the header");
  auto const relabel            = [&](std::string const& name, placement const& place, std::int8_t label = 1) {
    volume<std::int8_t> v(dims, place);
    v(1, 2, 3) = label, v(2, 2, 2) = 1;
    write_nifti(labels / name, v);
  };
  for (std::string const name : {"a.nii", "b.nii", "c.nii", "d.nii", "e.nii", "f.nii", "g.nii"}) {
    auto image  = numbered(dims);
    image.place = by_matrix;
    write_nifti(images / name, image);
    relabel(name, by_matrix);
  }
  relabel("a.nii", by_quaternion);
  placement wrong = by_matrix;
  for (auto& row : wrong.affine) row[0] = -row[0];  // mirrored along x
  relabel("b.nii", wrong);
  wrong = by_matrix, wrong.affine[2][3] = 8;  // moved
  relabel("c.nii", wrong);
  relabel("d.nii", {});  // no place at all
  wrong = by_matrix, wrong.affine[0][0] = 1.1f;
  relabel("e.nii", wrong);
  relabel("f.nii", by_matrix, -1);

  organ<8, 10> const data(images, labels, {.keep = 1});
  REQUIRE(data.train.cases().size() + data.test.cases().size() == 2);  // a and g
  std::vector<std::vector<std::string>> const wanted{
      {"labels/b.nii' lies elsewhere than its image", "[-2 0 0 0; 0 0 0 0; 0 0 0 0]", "6 mm"},
      {"labels/c.nii'", "[0 0 0 0; 0 0 0 0; 0 0 0 1]", "1 mm"},
      {"labels/d.nii'", "[0 0 0 9; "},
      {"labels/e.nii'", "[0.1"},
      {"labels/f.nii' has the label -1; labels are 0"}};
  REQUIRE(data.faults.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) tests::require_message(data.faults[i], wanted[i]);
  tests::require_message(refusal([&] { organ<8, 10>(images, labels, {.strict = true}); }), wanted[0]);
}

TEST_CASE("organ: a pair's names differ in the case of their ending at most") {
  folder dir;
  auto const images = dir.path / "images", labels = dir.path / "labels";
  dir.pair("ship (1).nii.gz"), dir.pair("b.nii"), dir.pair("c.nii.gz");
  fs::rename(labels / "ship (1).nii.gz", labels / "ship (1).NII.GZ");
  fs::rename(images / "b.nii", images / "b.Nii");
  fs::rename(images / "c.nii.gz", images / "c.NII.gz");
  std::ofstream(images / ".DS_Store") << "metadata";
  organ<8, 10> const data(images, labels, {.keep = 1});
  REQUIRE(data.faults.empty());
  std::set<std::string> names;
  for (auto const* part : {&data.train, &data.test})
    for (auto const& c : part->cases()) names.insert(c.name);
  REQUIRE(names == std::set<std::string>{"b.Nii", "c.NII.gz", "ship (1).nii.gz"});
  fs::copy(images / "c.NII.gz", images / "c.nii.gz");
  tests::require_message(refusal([&] { organ<8, 10>(images, labels); }),
                         {"images/c.NII.gz' and 'c.nii.gz' differ in the case of their ending alone"});
}

TEST_CASE("overlay tints the prediction and outlines the truth") {
  canvas page(20, 10);
  std::vector<std::uint8_t> const picture{100, 100, 100, 100}, prediction{0, 1, 0, 0}, truth{0, 0, 1, 1};
  overlay(page, picture, 2, 2, prediction, truth, {.x = 2, .y = 1, .zoom = 4, .tint = 0.5f});
  REQUIRE(page.at(3, 2) == colour{100, 100, 100});
  REQUIRE(page.at(8, 2) == colour{157, 97, 50});  // half way from 100 to (213, 94, 0), rounded
  REQUIRE(page.at(1, 2) == white);
  REQUIRE(page.at(4, 4).green > 150);  // the edge between rows 0 and 1 is between y = 4 and y = 5
  REQUIRE(page.at(4, 7) == colour{100, 100, 100});
  overlay(page, std::vector<std::uint8_t>(12, 7), 2, 2, {}, {});
  REQUIRE(page.at(1, 1) == colour{7, 7, 7});
  REQUIRE(grey_bytes(std::vector<float>{-1, 0, .5f, 1, 2}) == std::vector<std::uint8_t>{0, 0, 128, 255, 255});
  REQUIRE_THROWS_AS(overlay(page, picture, 2, 3, {}, {}), c2f::input_error);
  REQUIRE_THROWS_AS(overlay(page, picture, 2, 2, std::vector<std::uint8_t>(3), {}), c2f::input_error);
}

TEST_CASE("organ reads the hippocampus volumes and finds the incomplete pairs") {
  auto const root = tests::data("hippocampus/data/TrainingSet");
  if (!root) {
    C2F_SKIP("no hippocampus here; set C2F_DATA");
  }
  organ<64, 64> const data(*root / "images", *root / "labels", {.keep = 1});
  REQUIRE(data.faults.size() == 3);
  REQUIRE(data.faults[0].find("images/hippocampus_010.nii.gz'") != std::string::npos);
  REQUIRE(data.faults[1].find("labels/hippocampus_118.nii.gz'") != std::string::npos);
  REQUIRE(data.faults[2].find("images/hippocampus_281.nii.gz'") != std::string::npos);
  REQUIRE(data.train.cases().size() == 208);
  REQUIRE(data.test.cases().size() == 52);

  // Counted once in Python from the labels of the 260 pairs: slices with a voxel above 0.
  std::array<std::int64_t, 3> const wanted{5730, 10096, 6623};
  std::vector<float> pixels(3 * 4096);
  std::vector<std::int64_t> truth(4096);
  organ_case const& c = data.test.cases()[0];
  volume<float> perfect(c.target.dims, c.target.place);
  std::copy(c.target.values.begin(), c.target.values.end(), perfect.values.begin());
  std::vector<volume<float>> planes;
  for (int const axis : {0, 1, 2}) {
    auto const train = data.train.along(axis), test = data.test.along(axis);
    REQUIRE(train.size() + test.size() == wanted[static_cast<std::size_t>(axis)]);
    for (std::int64_t id = 0; id < test.size(); id += 101) {
      test.read(id, nullptr, pixels.data(), truth.data());
      REQUIRE(std::count(truth.begin(), truth.end(), 1) > 0);
      REQUIRE(*std::max_element(pixels.begin(), pixels.end()) <= 1.0f);
    }
    // A network that predicts all three slices correctly, in three planes.
    planes.push_back(join_slices(cut_slices(perfect, axis, 0, perfect.dims[static_cast<std::size_t>(axis)], 64, 64), perfect.dims, axis));
  }
  c2f::metrics::overlap score;
  score.add(at_least(mean_of(planes), 0.5f).values, c.target.values);
  REQUIRE(score.truth > 0);
  REQUIRE(score.dsc() == 1.0);
}
