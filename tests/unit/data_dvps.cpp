// Cityscapes-DVPS, SemKITTI-DVPS and KITTI depth: made files in exactly these layouts, pairs, augmentation, and malformed ones.
#include <c2f/data/datasets/dvps.hpp>
#include <c2f/data/datasets/kitti_depth.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/panoptic_pairs.hpp>

#include <spng.h>

#include <fstream>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {
namespace fs = std::filesystem;
using tests::refusal;
constexpr int rows = 4, columns = 6;

void write_grey(fs::path const& file, std::vector<std::uint16_t> const& numbers, int height, int width, int bits = 16) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> state(spng_ctx_new(SPNG_CTX_ENCODER), &spng_ctx_free);
  std::ofstream out(file, std::ios::binary);
  auto const write = [](spng_ctx*, void* to, void* bytes, std::size_t n) -> int {
    static_cast<std::ofstream*>(to)->write(static_cast<char const*>(bytes), static_cast<std::streamsize>(n));
    return 0;
  };
  REQUIRE(spng_set_png_stream(state.get(), write, &out) == 0);
  spng_ihdr header{static_cast<std::uint32_t>(width),
                   static_cast<std::uint32_t>(height),
                   static_cast<std::uint8_t>(bits),
                   SPNG_COLOR_TYPE_GRAYSCALE,
                   0,
                   0,
                   0};
  REQUIRE(spng_set_ihdr(state.get(), &header) == 0);
  std::vector<std::uint8_t> bytes(numbers.begin(), numbers.end());
  void const* const from = bits == 16 ? static_cast<void const*>(numbers.data()) : bytes.data();
  REQUIRE(spng_encode_image(state.get(), from, numbers.size() * static_cast<std::size_t>(bits / 8), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE) ==
          0);
}
void write_rgb(fs::path const& file, int height, int width, std::uint8_t blue) {
  c2f::data::canvas page(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      page.rectangle(x, y, 1, 1, {static_cast<std::uint8_t>(10 * y), static_cast<std::uint8_t>(10 * x), blue});
  page.write_png(file);
}
std::uint16_t label_at(int frame, int i) { return i < 6 ? 0 : static_cast<std::uint16_t>(i < 12 ? 32000 : 13000 + (i + frame) % 3); }
std::uint16_t depth_at(int frame, int i) { return i == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(256 * (i + 10 * frame) + 128); }

void write_frame(fs::path const& folder, int sequence, int frame, bool two_files = false) {
  char start[32];
  std::snprintf(start, sizeof start, "%06d_%06d", sequence, frame);
  std::string const city = two_files ? "" : "_munster_000168_000004";
  write_rgb(folder / (start + city + "_leftImg8bit.png"), rows, columns, static_cast<std::uint8_t>(100 * sequence + frame));
  std::vector<std::uint16_t> labels, classes, instances, depth;
  for (int i = 0; i < rows * columns; ++i) {
    labels.push_back(label_at(frame, i)), depth.push_back(depth_at(frame, i));
    classes.push_back(labels.back() / 1000), instances.push_back(static_cast<std::uint16_t>(labels.back() % 1000 * 20000));
  }
  if (two_files) {
    write_grey(folder / (start + std::string("_gtFine_class.png")), classes, rows, columns, 8);
    write_grey(folder / (start + std::string("_gtFine_instance.png")), instances, rows, columns);
    write_grey(folder / (start + std::string("_depth_718.8560180664062.png")), depth, rows, columns);
  } else {
    write_grey(folder / (start + city + "_gtFine_instanceTrainIds.png"), labels, rows, columns);
    write_grey(folder / (start + city + "_depth.png"), depth, rows, columns);
  }
}
struct sequences : tests::scratch {
  explicit sequences(bool two_files = false) {
    for (char const* const split : {"train", "val"}) {
      fs::create_directories(path / split);
      for (int const frame : {5, 6, 7}) write_frame(path / split, 0, frame, two_files);
      for (int const frame : {0, 1}) write_frame(path / split, 2, frame, two_files);
    }
  }
};
using data = c2f::data::dvps<rows, columns>;

struct sample {
  std::vector<float> pixels = std::vector<float>(6 * rows * columns), truth = std::vector<float>(3 * rows * columns);
};
template <class Split>
sample read(Split const& from, std::int64_t id, c2f::random_stream* augment = nullptr) {
  constexpr auto pixels = Split::image::height * Split::image::width;
  sample found{std::vector<float>(6 * pixels), std::vector<float>(3 * pixels)};
  from.read(id, augment, found.pixels.data(), found.truth.data());
  return found;
}
}  // namespace

TEST_CASE("sequences of Cityscapes-DVPS: pairs within a sequence, labels and depths") {
  sequences const made;
  data const streets(made.path, {.ignored = 32});
  REQUIRE(streets.train.size() == 3);  // two pairs and one
  REQUIRE(streets.train.videos() == 2);
  REQUIRE(streets.train.frames(0) == 3);
  REQUIRE(streets.train.name_of(2) == "000002_000000_munster_000168_000004_leftImg8bit.png");
  auto const frame = streets.train.frame(0, 1);
  REQUIRE(frame.classes[13] == 13);
  REQUIRE(frame.instances[13] == (13 + 6) % 3);
  REQUIRE(frame.depth[3] == 3 + 60 + .5f);
  auto const found = read(streets.train, 1);  // frames 6 and 7
  for (std::size_t i = 0; i < rows * columns; ++i) {
    REQUIRE(found.pixels[6 * i] == Approx(10. * static_cast<double>(i / columns) / 127.5 - 1).margin(1e-6));
    REQUIRE(found.pixels[6 * i + 1] == Approx(10. * static_cast<double>(i % columns) / 127.5 - 1).margin(1e-6));
    REQUIRE(found.pixels[6 * i + 2] == Approx(6 / 127.5 - 1).margin(1e-6));
    REQUIRE(found.pixels[6 * i + 5] == Approx(7 / 127.5 - 1).margin(1e-6));
    REQUIRE(found.truth[2 * rows * columns + i] == depth_at(6, static_cast<int>(i)) / 256.f);
    for (std::size_t k = 0; k < 2; ++k) {
      int const label = static_cast<int>(found.truth[k * rows * columns + i]),
                want  = label_at(6 + static_cast<int>(k), static_cast<int>(i));
      REQUIRE(label / 1000 == want / 1000);
      REQUIRE((label % 1000 == 0) == (want % 1000 == 0));
    }
  }
  // An instance has one number in both frames: pixel i of frame 6 is pixel i - 1 of frame 7.
  for (std::size_t i = 13; i < rows * columns; ++i) REQUIRE(found.truth[i] == found.truth[rows * columns + i - 1]);
  c2f::data::panoptic_pairs const pairs(streets.train, {.things = {13}, .ignored = 32});
  REQUIRE(pairs.name_of(2) == streets.train.name_of(2));
  REQUIRE(pairs.size() == 3);
}

TEST_CASE("sequences of SemKITTI-DVPS: classes and instances in two files, instance numbers of any size") {
  sequences const made(true);
  data const roads(made.path);
  auto const found = read(roads.test, 0), same = read(data(sequences().path, {.ignored = 32}).test, 0);
  REQUIRE(found.truth == same.truth);  // the numbers within a pair are new
  REQUIRE(roads.test.frame(0, 0).instances[13] == 20000 * ((13 + 5) % 3));
}

TEST_CASE("DVPS: the middle, and void around a smaller picture") {
  sequences const made;
  auto const larger = read(c2f::data::dvps_split<8, 8>("larger", made.path / "val", {.ignored = 32}), 0);
  auto const whole  = read(data(made.path, {.ignored = 32}).test, 0);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) {
      bool const inside = y >= 2 && y < 6 && x >= 1 && x < 7;
      auto const at = static_cast<std::size_t>(8 * y + x), from = static_cast<std::size_t>((y - 2) * columns + x - 1);
      REQUIRE(larger.truth[at] == (inside ? whole.truth[from] : 32000.f));
      REQUIRE(larger.truth[128 + at] == (inside ? whole.truth[48 + from] : 0.f));
      REQUIRE(larger.pixels[6 * at] == (inside ? whole.pixels[6 * from] : 0.f));
    }
}

TEST_CASE("DVPS: an enlarged pair has its depth divided, and both frames have one window") {
  sequences const made;
  data const streets(made.path, {.ignored = 32});
  auto const plain = read(streets.train, 0);
  std::set<float> ratios;
  int mirrored = 0;
  for (std::uint64_t k = 0; k < 60; ++k) {
    c2f::random_stream draw(1, c2f::purpose::augment, 0, k);
    auto const changed = read(streets.train, 0, &draw);
    float ratio        = 0;
    for (std::size_t i = 0; i < rows * columns; ++i) {
      float const depth = changed.truth[2 * rows * columns + i];
      // Where the depth is known, its pixel in the plain sample has the same labels and a depth that is larger by one factor.
      if (depth == 0) continue;
      bool fits = false;
      for (std::size_t j = 0; j < rows * columns; ++j) {
        float const before = plain.truth[2 * rows * columns + j];
        if (changed.truth[i] / 1000 != plain.truth[j] / 1000 && std::floor(changed.truth[i] / 1000) != std::floor(plain.truth[j] / 1000))
          continue;
        if (before == 0 || (ratio != 0 && std::abs(before / depth - ratio) > 1e-4f)) continue;
        float const tenth = 10 * before / depth;
        if (std::abs(tenth - std::round(tenth)) > 1e-4f || tenth < 4.9f || tenth > 20.1f) continue;
        fits = true;
      }
      REQUIRE(fits);
    }
    for (std::size_t i = 0; i + 1 < columns; ++i)
      if (changed.pixels[6 * i + 1] > changed.pixels[6 * (i + 1) + 1] && changed.pixels[6 * i + 1] != 0 &&
          changed.pixels[6 * (i + 1) + 1] != 0) {
        ++mirrored;
        break;
      }
    for (std::size_t i = 0; i < rows * columns; ++i) {  // red and green are those of the place, the same in both frames
      REQUIRE(changed.pixels[6 * i] == changed.pixels[6 * i + 3]);
      REQUIRE(changed.pixels[6 * i + 1] == changed.pixels[6 * i + 4]);
    }
  }
  REQUIRE((mirrored > 10 && mirrored < 50));
}

TEST_CASE("malformed sequences of DVPS are refused") {
  auto const refused = [](auto const& change) {
    sequences const made;
    change(made.path / "train");
    std::string text = refusal([&] { read(data(made.path, {.ignored = 32}).train, 1); });
    for (std::size_t at = 0; (at = text.find(made.path.string())) != std::string::npos;) text.replace(at, made.path.string().size(), "DIR");
    return text;
  };
  std::string const start = "000000_000006_munster_000168_000004_";
  REQUIRE(refused([&](fs::path const& in) { fs::remove_all(in); }) ==
          "no folder 'DIR/train'; a DVPS data set has the folders train and val");
  REQUIRE(refused([&](fs::path const& in) { fs::remove_all(in), fs::create_directory(in), write_rgb(in / "picture.png", 2, 2, 0); }) ==
          "no frames in 'DIR/train'; their files are named as 000000_000000_leftImg8bit.png, with numbers of sequence and frame");
  REQUIRE(refused([&](fs::path const& in) { fs::remove(in / (start + "depth.png")); }) ==
          "frame 6 of sequence 0 in 'DIR/train' has no depth; add the file, or remove the others of the frame");
  REQUIRE(refused([&](fs::path const& in) { fs::remove(in / (start + "gtFine_instanceTrainIds.png")); }) ==
          "frame 6 of sequence 0 in 'DIR/train' has no labels (gtFine); add the file, or remove the others of the frame");
  REQUIRE(refused([&](fs::path const& in) { fs::remove(in / (start + "leftImg8bit.png")); }) ==
          "frame 6 of sequence 0 in 'DIR/train' has no picture (leftImg8bit); add the file, or remove the others of the frame");
  REQUIRE(refused([&](fs::path const& in) {
            for (char const* const each : {"depth.png", "gtFine_instanceTrainIds.png", "leftImg8bit.png"}) fs::remove(in / (start + each));
          }) ==
          "frame 7 of sequence 0 in 'DIR/train' follows frame 5; add the missing ones, or write .gaps = true, so that another video begins "
          "there");
  REQUIRE(refused([&](fs::path const& in) { write_frame(in, 7, 0); }) ==
          "sequence 7 in 'DIR/train' has one frame; videos have two or more");
  REQUIRE(refused([&](fs::path const& in) { write_grey(in / (start + "depth.png"), std::vector<std::uint16_t>(15), 3, 5); }) ==
          "'DIR/train/" + start + "depth.png' is 3 x 5 pixels, and 'DIR/train/" + start +
              "leftImg8bit.png' is 4 x 6; the files of a frame have one size");
  REQUIRE(refused([&](fs::path const& in) { write_grey(in / (start + "depth.png"), std::vector<std::uint16_t>(24), 4, 6, 8); }) ==
          "the depth map 'DIR/train/" + start + "depth.png' has 8 bits a pixel; depths are metres * 256 in a grey PNG of 16 bits");
  REQUIRE(refused([&](fs::path const& in) {
            std::string const last = "000000_000007_munster_000168_000004_";
            write_rgb(in / (last + "leftImg8bit.png"), 3, 5, 0);
            for (char const* const each : {"depth.png", "gtFine_instanceTrainIds.png"})
              write_grey(in / (last + each), std::vector<std::uint16_t>(15), 3, 5);
          }) ==
          "'DIR/train/000000_000007_munster_000168_000004_leftImg8bit.png' is 3 x 5 pixels, and the frame before it is 4 x 6; the frames "
          "of a sequence have one size");
  REQUIRE(refused([&](fs::path const& in) {
            std::ofstream(in / (start + "depth.png")) << "no picture";
          }).find("does not begin as a PNG file does") != std::string::npos);
  REQUIRE(refused([&](fs::path const& in) {
            write_grey(in / (start + "gtFine_labelTrainIds.png"), std::vector<std::uint16_t>(24), 4, 6, 8);
          }) == "frame 6 of sequence 0 in 'DIR/train' has two files of labels, '" + start + "gtFine_instanceTrainIds.png' and '" + start +
                    "gtFine_labelTrainIds.png'; take one of them out");
  REQUIRE(refused([&](fs::path const& in) {
            write_grey(in / (start + "gtFine_instanceTrainIds.png"), std::vector<std::uint16_t>(24), 4, 6, 8);
          }) == "'DIR/train/" + start +
                    "gtFine_instanceTrainIds.png' has 8 bits a pixel; labels are class * 1000 + instance in a grey PNG of 16 bits");
  sequences const gaps;
  for (int const frame : {9, 10, 12}) write_frame(gaps.path / "train", 0, frame);
  data const pieces(gaps.path, {.ignored = 32, .gaps = true});  // 5 6 7, 9 10, of another sequence 0 1; 12 is alone
  REQUIRE(pieces.train.videos() == 3);
  REQUIRE(pieces.train.size() == 4);
  REQUIRE(pieces.train.name_of(2).starts_with("000000_000009"));
  sequences const made;
  fs::remove(made.path / "train" / (start + "depth.png"));
  REQUIRE(data(made.path, {.ignored = 32, .depth = false}).train.frame(0, 1).depth[3] == 0 + 0 * 1.f);
}

TEST_CASE("a pair of more instances of a class than a label has room for is refused") {
  sequences const made(true);
  std::vector<std::uint16_t> many(1100);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint16_t>(i < 1000 ? i + 1 : 0);
  std::vector<std::uint16_t> const classes(many.size(), 13), depth(many.size());
  auto const write = [&](std::string const& start, std::vector<std::uint16_t> const& instances) {
    write_rgb(made.path / "val" / (start + "leftImg8bit.png"), 11, 100, 0);
    write_grey(made.path / "val" / (start + "gtFine_class.png"), classes, 11, 100, 8);
    write_grey(made.path / "val" / (start + "gtFine_instance.png"), instances, 11, 100);
    write_grey(made.path / "val" / (start + "depth_718.8560180664062.png"), depth, 11, 100);
  };
  write("000002_000000_", many), write("000002_000001_", many);
  c2f::data::dvps<11, 100> const roads(made.path);
  REQUIRE(refusal([&] { read(roads.test, 2); }) ==
          "the pair '000002_000000_leftImg8bit.png' has more than 999 instances of class 13; leave it out");
  many[999] = 0;
  write("000002_000000_", many), write("000002_000001_", many);
  REQUIRE(read(roads.test, 2).truth[998] == 13999);
}

namespace {
// A drive with two photographs that have depth and one that has none, in both cameras.
struct kitti_files : tests::scratch {
  kitti_files() {
    for (std::string const part : {"train", "val"})
      for (std::string const camera : {"image_02", "image_03"}) {
        std::string const trip = part == "train" ? "2011_09_26_drive_0001_sync" : "2011_09_28_drive_0002_sync";
        auto const to          = path / part / trip / "proj_depth" / "groundtruth" / camera,
                   pictures    = path / trip.substr(0, 10) / trip / camera / "data";
        fs::create_directories(to), fs::create_directories(pictures);
        for (int number : {4, 5, 6}) {
          std::string const name = "000000000" + std::to_string(number) + ".png";
          write_rgb(pictures / name, rows, columns, static_cast<std::uint8_t>(10 * number));
          std::vector<std::uint16_t> depth;
          for (int i = 0; i < rows * columns; ++i) depth.push_back(depth_at(number, i));
          if (number > 4) write_grey(to / name, depth, rows, columns);
        }
      }
  }
  fs::path const drive = "2011_09_26_drive_0001_sync", depths = path / "train" / drive / "proj_depth" / "groundtruth" / "image_02",
                 photographs = path / "2011_09_26" / drive / "image_02" / "data";
};
template <class Split>
sample read_kitti(Split const& from, std::int64_t id, c2f::random_stream* augment = nullptr) {
  constexpr auto pixels = Split::image::height * Split::image::width;
  sample found{std::vector<float>(3 * pixels), std::vector<float>(pixels)};
  from.read(id, augment, found.pixels.data(), found.truth.data());
  return found;
}
}  // namespace

TEST_CASE("KITTI depth: photographs of both cameras with the depth of their pixels") {
  kitti_files const made;
  c2f::data::kitti_depth<rows, columns> const kitti(made.path);
  static_assert(c2f::data::split<decltype(kitti.train)>);
  REQUIRE(kitti.train.size() == 4);
  REQUIRE(kitti.train.name_of(3) == "2011_09_26_drive_0001_sync/image_03/0000000006.png");
  REQUIRE(kitti.test.name_of(0) == "2011_09_28_drive_0002_sync/image_02/0000000005.png");
  auto const found = read_kitti(kitti.train, 1);
  REQUIRE(found.truth[0] == 0);                 // unknown
  REQUIRE(found.truth[7] == 7 + 10 * 6 + .5f);  // (256 * 67 + 128) / 256
  REQUIRE(found.pixels[3 * 7] == Approx(10 / 127.5 - 1).margin(1e-6));
  REQUIRE(found.pixels[3 * 7 + 2] == Approx(60 / 127.5 - 1).margin(1e-6));
  // The lower edge: the last two rows, and the two columns in the middle.
  auto const lower = read_kitti(c2f::data::kitti_depth_split<2, 2>("lower", made.path, "train"), 1);
  REQUIRE(lower.truth == std::vector<float>{14 + 60 + .5f, 15 + 60 + .5f, 20 + 60 + .5f, 21 + 60 + .5f});
}

TEST_CASE("KITTI depth: an enlarged photograph has its depth divided by the scale") {
  kitti_files const made;
  c2f::data::kitti_depth<rows, columns> const kitti(made.path);
  std::set<double> scales;
  for (std::uint64_t k = 0; k < 60; ++k) {
    c2f::random_stream draw(1, c2f::purpose::augment, 0, k), same(1, c2f::purpose::augment, 0, k);
    auto const changed = read_kitti(kitti.train, 0, &draw);
    double const scale = .5 + .1 * same.below(16);  // the first number that is drawn
    scales.insert(scale);
    int known = 0;
    for (float const depth : changed.truth) {
      if (depth == 0) continue;
      ++known;
      double const before = depth * scale - .5;  // a whole number between 1 and 23, and 50
      REQUIRE(before == Approx(std::round(before)).margin(1e-4));
      REQUIRE((std::round(before) > 50 && std::round(before) < 50 + rows * columns));
    }
    REQUIRE(known > 0);
  }
  REQUIRE(scales.size() > 10);
}

TEST_CASE("malformed KITTI depth is refused") {
  auto const refused = [](auto const& change) {
    kitti_files const made;
    change(made);
    std::string text = refusal([&] { read_kitti(c2f::data::kitti_depth<rows, columns>(made.path).train, 0); });
    for (std::size_t at = 0; (at = text.find(made.path.string())) != std::string::npos;) text.replace(at, made.path.string().size(), "DIR");
    return text;
  };
  REQUIRE(refused([](auto const& made) { fs::remove_all(made.path / "train"); }) ==
          "no folder 'DIR/train'; the KITTI depth data set has the folders train and val");
  REQUIRE(refused([](auto const& made) { fs::remove_all(made.path / "train"), fs::create_directory(made.path / "train"); }) ==
          "no depth maps in 'DIR/train'; they are named as DRIVE/proj_depth/groundtruth/image_02/0000000005.png");
  REQUIRE(refused([](auto const& made) { fs::remove(made.photographs / "0000000005.png"); }) ==
          "the depth map 'DIR/train/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png' has no photograph "
          "0000000005.png "
          "or .jpg in 'DIR/2011_09_26/2011_09_26_drive_0001_sync/image_02/data'; unpack the raw data of its drive there, or remove the "
          "depth map");
  REQUIRE(refused([](auto const& made) { write_grey(made.depths / "0000000005.png", std::vector<std::uint16_t>(15), 3, 5); }) ==
          "the depth map 'DIR/train/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png' is 3 x 5 pixels, and its "
          "photograph is 4 x 6; they have one size");
  REQUIRE(refused([](auto const& made) { write_grey(made.depths / "0000000005.png", std::vector<std::uint16_t>(24), 4, 6, 8); }) ==
          "the depth map 'DIR/train/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png' has 8 bits a pixel; depths "
          "are metres * 256 in a grey PNG of 16 bits");
  REQUIRE(refused([](auto const& made) {
            std::ofstream(made.depths / "0000000005.png") << "no picture";
          }).find("does not begin as a PNG file does") != std::string::npos);
}
