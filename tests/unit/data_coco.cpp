// COCO's masks as runs and polygons, equal to pycocotools; all objects of a picture, masks and panoptic labels, from made sets in exactly
// the published layouts; and malformed ones.
#include <c2f/data/datasets/coco_objects.hpp>
#include <c2f/data/datasets/coco_panoptic.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/kinds/dense.hpp>

#include <array>
#include <cmath>
#include <fstream>

#include "catch.hpp"
#include "png_file.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using bytes = std::vector<std::uint8_t>;

void put(fs::path const& file, std::string const& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}
std::span<std::uint8_t const> as_bytes(std::string const& text) {
  return {reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
}
std::string replaced(std::string text, std::string const& from, std::string const& to) {
  auto const at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}
bool same(c2f::metrics::box const& a, c2f::metrics::box const& b) { return a.x0 == b.x0 && a.y0 == b.y0 && a.x1 == b.x1 && a.y1 == b.y1; }

}  // namespace

TEST_CASE("polygons are filled as pycocotools fills them", "[coco]") {
  struct known {
    std::vector<double> corners;
    std::int64_t height, width;
    char const* text;
    std::int64_t area;
    c2f::metrics::box around;
  };
  // pycocotools 2.0: frPyObjects, area and toBbox.
  for (auto const& each :
       {known{{10, 10, 60, 10, 60, 40},
              48,
              64,
              "j`01_1001O1O001O001O1O001O001O1O001O001O1O001O001O1O001O001O1O001O001O1O001O001O1O001O001O1O001O001O1e5",
              745,
              {11, 10, 60, 40}},
        known{{-3.5, -2.25, 20.3, 5.1, 70.9, 12.7, 33.3, 55.5, 2.2, 30.1},
              48,
              64,
              "0d0l06J4L1O100O1O010O1O1O100O00100O1O10O01O1O100O001O00000001O0000000000001O0000000O1O2N1O1O1O1O1N2O2N1O1O1O1O1N2O2N1O1O1O1O"
              "1O2"
              "M2OE",
              2079,
              {0, 0, 64, 48}},
        known{{5.5, 5.5, 5.5, 20.5, 20.5, 20.5, 20.5, 5.5}, 30, 25, "j5??000000000000000000000000000b3", 225, {6, 6, 21, 21}},
        known{{1, 1, 9, 9, 9, 1, 1, 9}, 12, 12, "=76N2N2N10O2N2N2R1", 32, {1, 1, 9, 8}},
        known{{0, 0, 64, 0, 64, 48, 0, 48}, 48, 64, "0PP3", 3072, {0, 0, 64, 48}},
        known{{3, 3, 3, 3, 10, 3, 10, 10}, 16, 16, "S21?1O1O1O1O1l2", 21, {4, 3, 10, 9}},
        known{{2.2, 2.2, 2.4, 2.3, 2.3, 2.6}, 8, 8, "P2", 0, {0, 0, 0, 0}}}) {
    run_lengths const found = of_polygon(each.corners, each.height, each.width);
    REQUIRE(found.area() == each.area);
    REQUIRE(same(found.box(), each.around));
    REQUIRE(run_lengths::of_text(found.text(), each.height, each.width) == found);
    REQUIRE(run_lengths::of_mask(found.mask(), each.height, each.width) == found);
    if (found.text() != each.text) {  // a long text: say which
      CAPTURE(found.text(), each.text);
      REQUIRE(found.text() == each.text);
    }
  }
  std::vector<double> const first{10, 10, 60, 10, 60, 40}, second{-3.5, -2.25, 20.3, 5.1, 70.9, 12.7, 33.3, 55.5, 2.2, 30.1};
  run_lengths const both[]{of_polygon(first, 48, 64), of_polygon(second, 48, 64)};
  REQUIRE(merged(both).area() == 2145);
  REQUIRE(of_polygons(std::vector{first, second}, 48, 64) == merged(both));
  REQUIRE(merged(both, /*intersection=*/true).area() == 679);
  REQUIRE(std::abs(iou(both[0], both[1], false) - 0.31655011655011656) < 1e-15);
  REQUIRE(std::abs(iou(both[0], both[1], true) - 0.9114093959731544) < 1e-15);
}

TEST_CASE("runs of masks, column by column", "[coco]") {
  // Columns: 0 0 1 1 | 1 0 0 0 | 0 1 0 0 are runs of 2 3 4 1 2; pycocotools writes them as 234NN.
  run_lengths const runs = run_lengths::of_counts({2, 3, 4, 1, 2}, 4, 3);
  REQUIRE(runs.mask() == bytes{0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0});
  REQUIRE(runs.text() == "234NN");
  REQUIRE(runs.area() == 4);
  REQUIRE(same(runs.box(), {0, 0, 3, 4}));
  REQUIRE(run_lengths::of_mask(bytes(35, 1), 5, 7).text() == "0S1");
  REQUIRE(run_lengths::of_mask(bytes(35, 0), 5, 7).text() == "S1");
  REQUIRE(run_lengths::of_mask(bytes(35, 0), 5, 7).area() == 0);
  bytes ring(35);
  for (std::size_t y = 1; y < 4; ++y)
    for (std::size_t x = 2; x < 6; ++x) ring[y * 7 + x] = 1;
  ring[2 * 7 + 3] = 0;
  REQUIRE(run_lengths::of_mask(ring, 5, 7).text() == ";32NO012004");
  REQUIRE(same(run_lengths::of_mask(ring, 5, 7).box(), {2, 1, 6, 4}));
  // Random masks against the definition, pixel by pixel.
  c2f::random_stream draw{1, c2f::purpose::synthesis, 0, 0};
  for (int trial = 0; trial < 100; ++trial) {
    std::int64_t const h = 1 + draw.below(12), w = 1 + draw.below(12);
    bytes a(static_cast<std::size_t>(h * w)), b  = a;
    for (auto* each : {&a, &b})
      for (auto& pixel : *each) pixel = draw.below(4) == 0;
    bytes either = a, common = a;
    std::int64_t in_a = 0, in_both = 0, in_either = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      either[i] = a[i] | b[i], common[i] = a[i] & b[i];
      in_a += a[i], in_both += common[i], in_either += either[i];
    }
    run_lengths const pair[]{run_lengths::of_mask(a, h, w), run_lengths::of_mask(b, h, w)};
    REQUIRE(pair[0].mask() == a);
    REQUIRE(merged(pair) == run_lengths::of_mask(either, h, w));
    REQUIRE(merged(pair, true) == run_lengths::of_mask(common, h, w));
    REQUIRE(run_lengths::of_text(pair[0].text(), h, w) == pair[0]);
    double const wanted = in_either > 0 ? static_cast<double>(in_both) / static_cast<double>(in_either) : 0;
    REQUIRE(std::abs(iou(pair[0], pair[1], false) - wanted) < 1e-12);
  }
}

TEST_CASE("masks that are none", "[coco]") {
  auto const refuse = [](auto const& call, std::vector<std::string> const& parts) { tests::require_message(tests::refusal(call), parts); };
  refuse([] { (void)run_lengths::of_counts({2, 3}, 4, 3); }, {"have 5 pixels in all", "3 x 4 has 12"});
  refuse([] { (void)run_lengths::of_counts({2, 4294967295u}, 4, 3); }, {"4294967297 pixels in all"});
  refuse([] { (void)run_lengths::of_text("234N", 4, 3); }, {"10 pixels in all"});
  refuse([] { (void)run_lengths::of_text("23`", 4, 3); }, {"break off within a run"});
  refuse([] { (void)run_lengths::of_text("23\x01", 4, 3); }, {"character that belongs to none at byte 2"});
  refuse([] { (void)run_lengths::of_text("23pppppppppp", 4, 3); }, {"belongs to none"});
  refuse([] { (void)run_lengths::of_text("N", 4, 3); }, {"a run of -2"});
  refuse([] { (void)run_lengths::of_counts({0}, 0, 3); }, {"sides are 1 or more"});
  refuse([] { (void)run_lengths::of_counts({0}, 1 << 20, 1 << 20); }, {"2^31 at most"});
  refuse([] { (void)run_lengths::of_mask(bytes(5), 2, 3); }, {"has 5 bytes"});
  refuse([] { (void)of_polygon(std::vector<double>{1, 2, 3, 4}, 9, 9); }, {"has 4 numbers"});
  refuse([] { (void)of_polygon(std::vector<double>{1, 2, 3, 4, 5, 6, 7}, 9, 9); }, {"has 7 numbers"});
  refuse([] { (void)of_polygon(std::vector<double>{1, 2, 3, 4, 5, 1e300}, 9, 9); }, {"within a million"});
  refuse([] { (void)of_polygon(std::vector<double>{1, 2, 3, std::nan(""), 5, 6}, 9, 9); }, {"within a million"});
  refuse(
      [] {
        std::vector<double> far;
        for (int i = 0; i < 20; ++i) far.insert(far.end(), {i % 2 == 0 ? -9e5 : 9e5, static_cast<double>(i)});
        (void)of_polygon(far, 9, 9);
      },
      {"an edge of", "4194304 are the most"});
  run_lengths const sizes[]{run_lengths::of_counts({6}, 2, 3), run_lengths::of_counts({6}, 3, 2)};
  refuse([&] { (void)merged(sizes); }, {"3 x 2 and 2 x 3"});
  refuse([&] { (void)merged({}); }, {"no masks"});
}

namespace {

// cells.png, 20 x 10: a square as a polygon of two parts, a crowd as uncompressed runs, an object as compressed ones, another category.
std::string instances() {
  bytes crowd(200), disc(200);
  for (std::size_t x = 12; x < 20; ++x) crowd[9 * 20 + x] = 1;
  for (std::size_t y = 2; y < 6; ++y)
    for (std::size_t x = 3; x < 6; ++x) disc[y * 20 + x] = 1;
  std::string counts;
  for (auto const each : run_lengths::of_mask(crowd, 10, 20).counts) counts += (counts.empty() ? "" : ", ") + std::to_string(each);
  return R"({"info": {"year": 2017}, "licenses": [],
  "images": [{"id": 9, "file_name": "cells.png", "height": 10, "width": 20, "license": 1}, {"id": 4, "file_name": "empty.png", "height": 20, "width": 20}],
  "annotations": [
    {"id": 1, "image_id": 9, "category_id": 5, "bbox": [2, 1, 8, 8], "area": 40.5, "iscrowd": 0,
     "segmentation": [[2, 1, 10, 1, 10, 5, 2, 5], [2, 5, 6, 5, 6, 9, 2, 9]]},
    {"id": 2, "image_id": 9, "category_id": 5, "bbox": [12, 9, 8, 1], "area": 8, "iscrowd": 1, "segmentation": {"counts": [)" +
         counts + R"(], "size": [10, 20]}},
    {"id": 3, "image_id": 9, "category_id": 2, "bbox": [3, 2, 3, 4], "area": 12, "iscrowd": 0, "segmentation": {"size": [10, 20], "counts": ")" +
         run_lengths::of_mask(disc, 10, 20).text() + R"("}},
    {"id": 7, "image_id": 9, "category_id": 2, "bbox": [19, 0, 0, 4], "area": 0, "iscrowd": 0, "segmentation": [[19, 0, 19, 4, 19, 2]]}],
  "categories": [{"id": 5, "name": "cell", "supercategory": "cell"}, {"id": 2, "name": "core", "supercategory": "cell"}]})";
}
void put_instances(fs::path const& root) {
  for (char const* part : {"train2017", "val2017"}) {
    put(root / ("annotations/instances_" + std::string(part) + ".json"), instances());
    fs::create_directories(root / part);
    canvas page(20, 10, {10, 20, 30});
    page.write_png(root / part / "cells.png");
    canvas(20, 20, {200, 0, 0}).write_png(root / part / "empty.png");
  }
}

}  // namespace

TEST_CASE("instances with polygons, runs and crowds", "[coco]") {
  auto const list = parse_coco(as_bytes(instances()), "file.json", {.segmentations = true, .crowds = true});
  REQUIRE(list.classes == std::vector<std::string>{"core", "cell"});
  REQUIRE(list.category_ids == std::vector<std::int64_t>{2, 5});
  REQUIRE(list.crowds == 1);
  auto const& objects = list.pictures[1].objects;
  REQUIRE(objects.size() == 4);
  REQUIRE(objects[0].label == 1);
  REQUIRE(objects[0].area == 40.5);
  REQUIRE(objects[0].polygons.size() == 2);
  REQUIRE(objects[0].mask(10, 20).area() == 8 * 4 + 4 * 4);
  REQUIRE(same(objects[0].mask(10, 20).box(), {2, 1, 10, 9}));
  REQUIRE((objects[1].crowd && !objects[0].crowd && !objects[2].crowd));
  REQUIRE(same(objects[1].mask(10, 20).box(), objects[1].where));
  REQUIRE(same(objects[2].mask(10, 20).box(), objects[2].where));
  // Without asking: neither crowds nor masks.
  auto const boxes = parse_coco(as_bytes(instances()), "file.json");
  REQUIRE(boxes.pictures[1].objects.size() == 3);
  REQUIRE_FALSE(boxes.pictures[1].objects[0].has_mask());
  tests::require_message(tests::refusal([&] { (void)boxes.pictures[1].objects[0].mask(10, 20); }), {"no segmentation"});
}

TEST_CASE("a split of all objects: rows with crowd flags, padded", "[coco]") {
  tests::scratch const dir;
  put_instances(dir.path);
  coco_objects<5, 40> const data{{.root = dir.path}};
  REQUIRE(data.train.classes() == std::vector<std::string>{"core", "cell"});
  REQUIRE(data.train.size() == 2);
  REQUIRE(data.left_out == 2);  // one in each part
  REQUIRE(data.train.name_of(1) == "cells.png");
  std::vector<float> pixels(3 * 40 * 40), truth(5 * 7);
  data.train.read(1, nullptr, pixels.data(), truth.data());                             // scale 2, 10 pixels of padding above
  std::vector<float> const wanted{1, 12.f / 40, 20.f / 40, 16.f / 40, 16.f / 40, 0, 1,  //
                                  1, 32.f / 40, 29.f / 40, 16.f / 40, 2.f / 40,  1, 1,  //
                                  0, 9.f / 40,  18.f / 40, 6.f / 40,  8.f / 40,  0, 1};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    CAPTURE(i);
    REQUIRE(std::abs(truth[i] - (i < wanted.size() ? wanted[i] : 0)) < 1e-6f);
  }
  data.train.read(0, nullptr, pixels.data(), truth.data());
  REQUIRE(std::all_of(truth.begin(), truth.end(), [](float each) { return each == 0; }));
  auto const masks = data.train.masks(1);
  REQUIRE(masks.size() == 3);
  REQUIRE(masks[2].area() == 12);
  coco_objects<2, 40> const narrow{{.root = dir.path}};
  tests::require_message(tests::refusal([&] { narrow.train.read(1, nullptr, pixels.data(), truth.data()); }), {"has 3 objects", "for 2"});
  coco_objects<5, 40> const cores{{.root = dir.path, .classes = {"core"}}};
  REQUIRE(cores.train.sample(1).objects.size() == 1);
  tests::require_message(tests::refusal([&] { coco_objects<5, 40>{{.root = dir.path, .classes = {"dog"}}}; }),
                         {"no objects of the class 'dog'"});
  tests::require_message(tests::refusal([&] { coco_objects<5, 40>{{.root = dir.path / "train2017"}}; }), {"has no COCO annotations"});
  tests::require_message(tests::refusal([&] { coco_objects<5, 40>{{.root = dir.path, .classes = {"core", "core"}}}; }),
                         {"names 2 classes, 1 of them different"});
  for (double const fraction : {20., -.1, 1., std::nan("")})
    tests::require_message(tests::refusal([&] { coco_objects<5, 40>{{.root = dir.path, .test_fraction = fraction}}; }),
                           {"coco_objects_options.test_fraction is"});
  static_assert(split<decltype(data.train)>);
}

TEST_CASE("boxes that are none of COCO's", "[coco]") {
  tests::scratch const dir;
  put_instances(dir.path);
  auto const with = [&](std::array<std::string, 3> const& boxes) {
    std::string text = instances();
    for (auto const& [from, to] :
         {std::pair{"[2, 1, 8, 8]", boxes[0]}, std::pair{"[12, 9, 8, 1]", boxes[1]}, std::pair{"[3, 2, 3, 4]", boxes[2]}})
      text = replaced(text, from, to);
    for (char const* part : {"train2017", "val2017"}) put(dir.path / ("annotations/instances_" + std::string(part) + ".json"), text);
    return tests::refusal([&] { coco_objects<5, 40>{{.root = dir.path}}; });
  };
  REQUIRE(with({"[2, 1, 8, 8]", "[12, 9, 9, 2]", "[3, 2, 3, 4]"}).empty());  // a pixel beyond
  REQUIRE(coco_objects<5, 40>{{.root = dir.path}}.clipped == 0);
  REQUIRE(with({"[2, 1, 8, 8]", "[12, 9, 20, 10]", "[3, 2, 3, 4]"}).empty());
  REQUIRE(coco_objects<5, 40>{{.root = dir.path}}.clipped == 2);
  tests::require_message(with({"[14, 1, 18, 9]", "[12, 9, 20, 10]", "[13, 2, 16, 6]"}),
                         {"6 of the 8 boxes of '", "' reach beyond their pictures; write each 'bbox' as x, y, width, height in pixels"});
  tests::require_message(with({"[0.1, 0.1, 0.4, 0.8]", "[0.6, 0.9, 0.4, 0.1]", "[0.15, 0.2, 0.15, 0.4]"}),
                         {"6 of the 8 boxes", "are smaller than a pixel"});
}

TEST_CASE("objects of rectangles, with masks, mirrored", "[coco]") {
  tests::scratch const dir;
  put_instances(dir.path);
  coco_objects_options options{.root = dir.path, .augment = {.flip = true, .scale = 0, .shift = 0, .gain = 0}};
  coco_objects<5, 20, 60, 4> const data{options};  // scale 2, 10 pixels of padding to the left and to the right
  static_assert(split<decltype(data.train)>);
  static_assert(std::same_as<decltype(data.train)::image, c2f::image<3, 20, 60>>);
  constexpr std::size_t width = 7 + 16;
  std::vector<float> pixels(3 * 20 * 60), truth(5 * width);
  auto const is = [&](std::size_t row, std::vector<float> const& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CAPTURE(row, i);
      REQUIRE(std::abs(truth[row * width + i] - wanted[i]) < 1e-6f);
    }
  };
  data.train.read(1, nullptr, pixels.data(), truth.data());
  // Of its 8 x 8 pixels the cell has the upper half, and of the lower one the left half.
  is(0, {1, 22.f / 60, 10.f / 20, 16.f / 60, 16.f / 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1});
  is(1, {1, 42.f / 60, 19.f / 20, 16.f / 60, 2.f / 20, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  is(2, {0, 19.f / 60, 8.f / 20, 6.f / 60, 8.f / 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  is(3, std::vector<float>(2 * width));
  bool mirrored = false, plain = false;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    c2f::random_stream draw{1, c2f::purpose::augment, epoch, 1};
    data.train.read(1, &draw, pixels.data(), truth.data());
    bool const moved           = truth[1] > .5f;
    (moved ? mirrored : plain) = true;
    if (moved) is(0, {1, 38.f / 60, 10.f / 20, 16.f / 60, 16.f / 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1});
  }
  REQUIRE((mirrored && plain));
  // With a scale and a shift: the cells are those of what is seen, and lie where the pixels are.
  options.augment = {.flip = true, .scale = .3, .shift = .2, .gain = 0, .rotate = 10};
  coco_objects<5, 40, 60, 8> const moving{options};
  std::vector<float> canvas(3 * 40 * 60), rows(5 * (7 + 64));
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    c2f::random_stream draw{1, c2f::purpose::augment, epoch, 1}, again{1, c2f::purpose::augment, epoch, 1};
    moving.train.read(1, &draw, canvas.data(), rows.data());
    view const seen = draw_view(again, options.augment, {}, 40, 60);
    if (rows[0] != 1 || rows[5] != 0) continue;  // the cell is not seen
    double const left = (rows[1] - rows[3] / 2) * 60, top = (rows[2] - rows[4] / 2) * 40, w = rows[3] * 60, h = rows[4] * 40;
    for (std::size_t cell = 0; cell < 64; ++cell) {
      auto const [x, y] = seen.map(40, 60).inverse()(left + w * (static_cast<double>(cell % 8) + .5) / 8,
                                                     top + h * (static_cast<double>(cell / 8) + .5) / 8);
      double const u = x / 3, v = (y - 5) / 3;
      bool const inside = (v >= 1 && v < 5 && u >= 2 && u < 10) || (v >= 5 && v < 9 && u >= 2 && u < 6);
      if (std::abs(rows[6 + cell] - .5f) > .4f) REQUIRE(inside == (rows[6 + cell] > .5f));
    }
  }
  // An object without a segmentation makes a faulty sample where masks are asked for.
  put(dir.path / "annotations/instances_train2017.json", replaced(instances(), R"(,
     "segmentation": [[2, 1, 10, 1, 10, 5, 2, 5], [2, 5, 6, 5, 6, 9, 2, 9]])",
                                                                  ""));
  coco_objects<5, 20, 60, 4> const without{options};
  tests::require_message(tests::refusal([&] { without.train.read(1, nullptr, pixels.data(), truth.data()); }), {"no segmentation"});
}

TEST_CASE("a class a pixel from instances: the smaller is in front", "[coco]") {
  tests::scratch const dir;
  put_instances(dir.path);
  coco_masks<20> const data{{.root = dir.path}};
  REQUIRE(data.test.classes() == std::vector<std::string>{"background", "core", "cell"});
  std::vector<float> pixels(3 * 20 * 20);
  std::vector<std::int64_t> truth(20 * 20);
  data.test.read(1, nullptr, pixels.data(), truth.data());  // scale 1, 5 rows of padding above
  for (std::int64_t y = 0; y < 20; ++y)
    for (std::int64_t x = 0; x < 20; ++x) {
      std::int64_t const row = y - 5;
      bool const cell = (row >= 1 && row < 5 && x >= 2 && x < 10) || (row >= 5 && row < 9 && x >= 2 && x < 6) || (row == 9 && x >= 12);
      bool const core = row >= 2 && row < 6 && x >= 3 && x < 6;
      CAPTURE(x, row);
      REQUIRE(truth[static_cast<std::size_t>(y * 20 + x)] == (row < 0 || row >= 10 ? 255 : core ? 1 : cell ? 2 : 0));
    }
}

TEST_CASE("an instances file with masks that are none", "[coco]") {
  auto const refuse = [](std::string const& text, std::vector<std::string> const& parts) {
    tests::require_message(tests::refusal([&] { (void)parse_coco(as_bytes(text), "file.json", {.segmentations = true, .crowds = true}); }),
                           parts);
  };
  std::string const good = instances();
  refuse(replaced(good, "[[2, 1, 10, 1, 10, 5, 2, 5]", "[[2, 1, 10, 1, 10, 5, 2]"),
         {"'file.json'", "element 1 of 'annotations'", "a polygon of 7"});
  refuse(replaced(good, "[[2, 1, 10, 1, 10, 5, 2, 5]", "[[2, 1, 10, 1]"), {"a polygon of 4"});
  refuse(replaced(good, "[[2, 1, 10, 1, 10, 5, 2, 5]", "[[]"), {"a polygon of 0"});
  refuse(replaced(good, "\"area\": 40.5", "\"area\": -40.5"), {"element 1", "an area of -40.5"});
  refuse(replaced(good, "\"area\": 12", "\"area\": -1"), {"element 3", "an area of -1"});
  refuse(replaced(good, "\"counts\": [", "\"counts\": [100, "), {"element 2", "a mask that is none", "300 pixels in all"});
  refuse(replaced(good, "\"counts\": [", "\"counts\": [-1, "), {"a run of -1"});
  refuse(replaced(good, "\"size\": [10, 20], ", ""), {"element 3", "'size' is no height and width"});
  refuse(replaced(good, "\"size\": [10, 20], ", "\"size\": [10, 20, 1], "), {"'size' is no height and width"});
  refuse(replaced(good, "\"size\": [10, 20], ", "\"size\": [20, 10], "), {"a mask of 10 x 20", "which is 20 x 10"});
  refuse(replaced(good, "\"size\": [10, 20], \"counts\": \"", "\"size\": [10, 20], \"counts\": \"~"),
         {"element 3", "character that belongs to none"});
  refuse(replaced(good, "\"image_id\": 9, ", ""), {"no whole number 'image_id'"});
  refuse(replaced(good, "\"category_id\": 5, ", ""), {"no whole number 'category_id'"});
  refuse(replaced(good, "\"name\": \"cell\", \"supercategory\": \"cell\"", "\"name\": \"cell\", \"supercategory\": \"core\""),
         {"the category 'core'", "its own supercategory"});
  // Without masks those of the file are not read.
  (void)parse_coco(as_bytes(replaced(good, "[[2, 1, 10, 1, 10, 5, 2, 5]", "[[2]")), "file.json");
}

namespace {

// One picture, 6 x 4: sky (stuff) above, two cars, a crowd of cars, one void pixel.
constexpr char const* panoptic =
    R"({"images": [{"id": 3, "file_name": "street.png", "width": 6, "height": 4}, {"id": 8, "file_name": "bare.png", "width": 6, "height": 4}],
  "annotations": [{"image_id": 3, "file_name": "street_segments.png", "segments_info": [
     {"id": 70000, "category_id": 11, "area": 11, "bbox": [0, 0, 6, 2], "iscrowd": 0},
     {"id": 300, "category_id": 7, "area": 4, "bbox": [0, 2, 2, 2], "iscrowd": 0},
     {"id": 5, "category_id": 7, "area": 4, "bbox": [2, 2, 2, 2], "iscrowd": 0},
     {"id": 9, "category_id": 7, "area": 4, "bbox": [4, 2, 2, 2], "iscrowd": 1}]}],
  "categories": [{"id": 7, "name": "car", "supercategory": "vehicle", "isthing": 1}, {"id": 11, "name": "sky", "supercategory": "outdoor", "isthing": 0}]})";
bytes segment_pixels() {
  bytes rgb;
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 6; ++x) {
      int const id = y == 0 && x == 5 ? 0 : y < 2 ? 70000 : x < 2 ? 300 : x < 4 ? 5 : 9;
      rgb.insert(rgb.end(),
                 {static_cast<std::uint8_t>(id % 256), static_cast<std::uint8_t>(id / 256 % 256), static_cast<std::uint8_t>(id / 65536)});
    }
  return rgb;
}

}  // namespace

TEST_CASE("panoptic labels in COCO's layout", "[coco]") {
  tests::scratch const dir;
  for (std::string const part : {"train2017", "val2017"}) {
    put(dir.path / ("annotations/panoptic_" + part + ".json"), panoptic);
    tests::write_png(dir.path / "annotations" / ("panoptic_" + part) / "street_segments.png", segment_pixels(), 4, 6,
                     SPNG_COLOR_TYPE_TRUECOLOR);
    fs::create_directories(dir.path / part);
    canvas(6, 4, {1, 2, 3}).write_png(dir.path / part / "street.png");
  }
  coco_panoptic<6> const data{{.root = dir.path}};
  REQUIRE(data.train.size() == 1);
  REQUIRE(data.train.classes() == std::vector<std::string>{"car", "sky"});
  REQUIRE(data.train.targets().things == std::vector<std::int64_t>{0});
  auto const map    = data.train.labels(0);
  // Instances by segment number: 5 is the first car, 300 the second; a crowd has none.
  auto const wanted = [](int y, int x) { return y == 0 && x == 5 ? 255000 : y < 2 ? 1000 : x < 2 ? 2 : x < 4 ? 1 : 0; };
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 6; ++x) REQUIRE(map.labels[static_cast<std::size_t>(6 * y + x)] == wanted(y, x));
  auto const targets = targets_of(map.labels, 4, 6, data.train.targets());
  REQUIRE(targets.centres.size() == 2);
  REQUIRE(targets.classes[5] == 255);
  std::vector<float> pixels(3 * 36), truth(36);
  data.train.read(0, nullptr, pixels.data(), truth.data());  // one row of padding above and below
  for (int y = 0; y < 6; ++y)
    for (int x = 0; x < 6; ++x)
      REQUIRE(truth[static_cast<std::size_t>(6 * y + x)] == (y < 1 || y > 4 ? 255000.f : static_cast<float>(wanted(y - 1, x))));

  coco_panoptic<6, 2> const pairs{{.root = dir.path}};
  panoptic_pairs const train(pairs.train, pairs.train.targets());
  std::vector<float> six(6 * 36), planes(11 * 36);
  train.read(0, nullptr, six.data(), planes.data());
  for (std::size_t i = 0; i < 36; ++i)
    for (std::size_t c = 0; c < 3; ++c) REQUIRE((six[6 * i + c] == pixels[3 * i + c] && six[6 * i + 3 + c] == pixels[3 * i + c]));
  REQUIRE(planes[6 * 1 + 0] == 1);    // sky
  REQUIRE(planes[6 * 4 + 0] == 0);    // car
  REQUIRE(planes[10 * 36 + 8] == 0);  // depth: unknown

  // The labels of an augmented sample move with its picture: both are a function of the same map.
  bool moved = false;
  for (std::uint64_t id = 0; id < 20; ++id) {
    c2f::random_stream draw{1, c2f::purpose::augment, 0, id}, again = draw;
    data.train.read(0, &draw, pixels.data(), truth.data());
    view const seen = draw_view(again, {}, {}, 6);
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 6; ++x) {
        auto const [u, v] = seen.map(6).inverse()(x + .5, y + .5);
        bool const inside = u >= 0 && u < 6 && v >= 1 && v < 5;
        REQUIRE(truth[static_cast<std::size_t>(6 * y + x)] ==
                (inside ? static_cast<float>(wanted(static_cast<int>(v) - 1, static_cast<int>(u))) : 255000.f));
      }
    moved = moved || seen.across.mirrored;
  }
  REQUIRE(moved);
  tests::require_message(tests::refusal([&] { panoptic_pairs(pairs.train, {.things = {}, .divisor = 0}); }), {"the divisor 0"});
  tests::require_message(tests::refusal([&] { coco_panoptic<6>{{.root = dir.path, .augment = {.gain = 7}}}; }),
                         {"the augmentation's gain is 7"});
  SECTION("one list and one picture of a part") {
    auto const refused = [&] { return tests::refusal([&] { coco_panoptic<6>{{.root = dir.path}}; }); };
    put(dir.path / "annotations/panoptic_train2014.json", panoptic);
    tests::require_message(refused(), {"panoptic_train2014.json' and '", "panoptic_train2017.json' are of one part of the data"});
    fs::remove(dir.path / "annotations/panoptic_train2014.json");
    for (std::string const part : {"train2017", "val2017"}) fs::remove_all(dir.path / part);
    fs::create_directories(dir.path / "images");
    canvas(6, 4, {1, 2, 3}).write_png(dir.path / "images/street.png");
    tests::require_message(refused(), {"lists the picture '", "street.png' twice"});
  }
  SECTION("malformed") {
    auto const refuse = [](std::string const& text, std::vector<std::string> const& parts) {
      tests::require_message(tests::refusal([&] { (void)parse_coco_panoptic(as_bytes(text), "file.json"); }), parts);
    };
    std::string const good = panoptic;
    refuse("{}", {"'file.json' is no COCO panoptic file", "no 'categories'"});
    refuse(replaced(good, "{\"id\": 300, ", "{"), {"element 1 of 'annotations'", "a segment without a whole number 'id'"});
    refuse(replaced(good, "\"id\": 300", "\"id\": 16777216"), {"the id 16777216"});
    refuse(replaced(good, "\"id\": 300", "\"id\": 5"), {"the segment id 5 twice"});
    refuse(replaced(good, "\"area\": 11", "\"area\": -11"), {"an area of -11"});
    refuse(replaced(good, "\"category_id\": 11", "\"category_id\": 12"), {"the category 12"});
    refuse(replaced(good, "\"image_id\": 3", "\"image_id\": 4"), {"the image 4"});
    refuse(replaced(good, "street_segments.png", "../street.png"), {"'../street.png'", "below the folder"});
    refuse(instances(), {"no name of a file below"});
    auto const list = parse_coco_panoptic(as_bytes(good), "file.json");
    picture_bytes segments{4, 6, segment_pixels()};
    segments.rgb[0] = 99;
    tests::require_message(tests::refusal([&] { (void)panoptic_labels(list.pictures[0], segments, list.things, 255, "a.png"); }),
                           {"'a.png'", "the segment " + std::to_string(70000 - 70000 % 256 + 99)});
    segments.height = 3;
    tests::require_message(tests::refusal([&] { (void)panoptic_labels(list.pictures[0], segments, list.things, 255, "a.png"); }),
                           {"6 x 3", "6 x 4"});
    tests::require_message(tests::refusal([&] { coco_panoptic<6>{{.root = dir.path / "val2017"}}; }), {"has no panoptic_train"});
    fs::remove(dir.path / "train2017/street.png");
    REQUIRE_FALSE(tests::refusal([&] { data.train.read(0, nullptr, pixels.data(), truth.data()); }).empty());
  }
}
