// One in a hundred samples of each real set is damaged, in ten ways, on a copy. A strict loader stops at the first one with file and reason
// in one line. A tolerant loader replaces exactly those and counts them; every other sample is bit for bit unchanged.
//
// At level 1 about a hundred samples of each set and every way of damage at least once; at level 2 whole sets.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <zip.h>
#include <zlib.h>

#include <ATen/core/Tensor.h>

#include <c2f/core/random.hpp>
#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/datasets/omniglot.hpp>
#include <c2f/data/datasets/organ_slices.hpp>
#include <c2f/data/datasets/voc.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::contents;
using tests::has;
using tests::refusal;
using bytes = std::vector<std::uint8_t>;

using folder = tests::scratch;

void write(fs::path const& file, bytes const& content) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<char const*>(content.data()), static_cast<std::streamsize>(content.size()));
  REQUIRE(out.flush());
}

// ---- the ten ways ----

enum class way { cut, zeroed, flipped, appended, emptied, magic, huge, channels, garbage, removed };
constexpr int ways = 10;

enum class format { jpeg, png, xml, nifti_gz };

void put(bytes& of, std::size_t at, std::uint64_t value, int size) {  // big-endian
  REQUIRE(at + static_cast<std::size_t>(size) <= of.size());
  for (int i = 0; i < size; ++i) of[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
}

// Where the frame header of a JPEG begins: ISO 10918-1, B.1.1.4: FF, the marker, the length.
std::size_t frame_of(bytes const& jpeg) {
  for (std::size_t at = 2; at + 4 < jpeg.size() && jpeg[at] == 0xff; at += 2 + (std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3]))
    if (jpeg[at + 1] >= 0xc0 && jpeg[at + 1] <= 0xc2) return at;
  FAIL("a JPEG of the set has no frame");
  return 0;
}
// Recomputes the first chunk's checksum: length, IHDR, 13 bytes, checksum.
void sign_header(bytes& png) { put(png, 29, crc32(0, png.data() + 12, 17), 4); }

void replace(bytes& of, std::string const& from, std::string const& to) {
  auto const at = std::search(of.begin(), of.end(), from.begin(), from.end());
  REQUIRE(at != of.end());
  bytes made(of.begin(), at);
  made.insert(made.end(), to.begin(), to.end());
  made.insert(made.end(), at + static_cast<std::ptrdiff_t>(from.size()), of.end());
  of = std::move(made);
}

// Compresses or decompresses: a false NIfTI header in a valid .gz file.
bytes through_zlib(bytes const& from, bool pack) {
  z_stream state{};
  REQUIRE((pack ? deflateInit2(&state, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) : inflateInit2(&state, 31)) == Z_OK);
  bytes made(std::size_t{1} << 24);
  state.next_in = const_cast<Bytef*>(from.data()), state.avail_in = static_cast<uInt>(from.size());
  state.next_out = made.data(), state.avail_out = static_cast<uInt>(made.size());
  REQUIRE((pack ? deflate(&state, Z_FINISH) : inflate(&state, Z_FINISH)) == Z_STREAM_END);
  made.resize(state.total_out);
  pack ? deflateEnd(&state) : inflateEnd(&state);
  return made;
}

// The largest sizes that the header of the format can hold.
void enlarge(bytes& file, format kind) {
  if (kind == format::jpeg) put(file, frame_of(file) + 5, 0xffff'ffff, 4);
  if (kind == format::png) put(file, 16, 0x7fff'ffff'7fff'ffff, 8), sign_header(file);
  if (kind == format::xml) replace(file, "<width>", "<width>9");
  if (kind == format::nifti_gz) {
    bytes open = through_zlib(file, false);
    for (std::size_t d = 0; d < 3; ++d) open[42 + 2 * d] = 0xff, open[43 + 2 * d] = 0x7f;
    file = through_zlib(open, true);
  }
}
// Four channels instead of three or one; a volume gets a fourth dimension. An annotation has no such field.
void recolour(bytes& file, format kind) {
  if (kind == format::jpeg) file[frame_of(file) + 9] = 4;
  if (kind == format::png) file[25] = 6, sign_header(file);
  if (kind == format::xml) replace(file, "<depth>3", "<depth>4");
  if (kind == format::nifti_gz) {
    bytes open = through_zlib(file, false);
    open[40] = 4, open[48] = 3;
    file = through_zlib(open, true);
  }
}

bytes damaged(bytes file, way how, format kind, c2f::random_stream& draw) {
  std::size_t const quarter = file.size() / 4;
  switch (how) {
    case way::cut:
      file.resize(file.size() / 2);
      break;
    case way::zeroed:
      std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(quarter), 2 * quarter, std::uint8_t{0});
      break;
    case way::flipped:
      for (int i = 0; i < 16; ++i)
        file[quarter + draw.below(static_cast<std::uint32_t>(2 * quarter))] ^= static_cast<std::uint8_t>(1u << draw.below(8));
      break;
    case way::appended:
      file.insert(file.end(), 100, std::uint8_t{'Z'});
      break;
    case way::emptied:
      file.clear();
      break;
    case way::magic:
      std::copy_n("GIF89a\1\1", 8, file.begin());
      break;
    case way::huge:
      enlarge(file, kind);
      break;
    case way::channels:
      recolour(file, kind);
      break;
    case way::garbage:
      for (auto& byte : file) byte = static_cast<std::uint8_t>(draw.below(256));
      break;
    case way::removed:
      break;
  }
  return file;
}

// Whether a damage must be detected, must have no effect, or may do either: without a checksum, flipped bits are other pixels or boxes;
// bytes after the end of a JPEG, PNG, annotation or compressed file are ignored.
enum class outcome { found, harmless, either };
outcome expected(way how, format kind) {
  if (how == way::appended) return outcome::harmless;
  if (how == way::flipped && (kind == format::jpeg || kind == format::xml)) return outcome::either;
  if (how == way::channels && kind == format::xml) return outcome::harmless;
  return outcome::found;
}

// ---- what a split and a loader do with it ----

struct damage {
  way how;
  format kind;
  std::string file;  // that a message must name
};
using damages = std::map<std::int64_t, damage>;

// Chooses one in a hundred of n samples, at least `least`; never two adjacent ones, and different ones for each set.
std::vector<std::int64_t> some_of(std::int64_t n, std::int64_t least) {
  std::int64_t const count = std::max(n / 100, least);
  REQUIRE(2 * count <= n);
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < count; ++i) chosen.push_back(i * n / count + 1);
  return chosen;
}

template <class S>
struct sample {
  std::vector<float> pixels;
  std::vector<typename S::truth_value> truth;
  std::string refused;
  explicit sample(S const& from, std::int64_t id) : pixels(S::image::channels * S::image::height * S::image::width) {
    std::size_t numbers = 1;
    for (auto const d : S::truth_dims) numbers *= static_cast<std::size_t>(d);
    truth.resize(numbers);
    refused = refusal([&] { from.read(id, nullptr, pixels.data(), truth.data()); });
  }
};

template <class T>
bool same_bits(std::vector<T> const& a, T const* b) {
  return std::memcmp(a.data(), b, a.size() * sizeof(T)) == 0;
}

// Returns how many samples cannot be read.
template <class S>
std::int64_t compare(S const& intact, S const& copy, damages const& done) {
  REQUIRE(copy.size() == intact.size());
  REQUIRE(intact.size() >= 50);
  std::map<std::int64_t, std::string> reasons;
  for (std::int64_t id = 0; id < intact.size(); ++id) {
    sample<S> const before(intact, id), after(copy, id);
    CAPTURE(id, after.refused);
    if (!after.refused.empty()) reasons.emplace(id, after.refused);
    auto const hurt = done.find(id);
    bool const same = after.refused.empty() && same_bits(before.pixels, after.pixels.data()) && same_bits(before.truth, after.truth.data());
    if (hurt == done.end()) {
      REQUIRE(before.refused.empty() == after.refused.empty());  // the real sets contain faulty samples, too
      REQUIRE((same || !before.refused.empty()));
      continue;
    }
    CAPTURE(hurt->second.file, static_cast<int>(hurt->second.how));
    REQUIRE(before.refused.empty());
    if (!after.refused.empty()) REQUIRE(has(after.refused, hurt->second.file));
    auto const wanted = expected(hurt->second.how, hurt->second.kind);
    if (wanted == outcome::found) REQUIRE(!after.refused.empty());
    if (wanted == outcome::harmless) REQUIRE(same);
  }
  REQUIRE(!reasons.empty());

  // Strict: the batches before the first damaged sample, then its reason.
  constexpr std::int64_t batch_size = 8;
  loader const strict{copy, {.batch = batch_size, .threads = 2, .shuffle = false, .augment = false, .strict = true}};
  std::int64_t batches      = 0;
  std::string const message = refusal([&] {
    for (batch const& b : strict.epoch(0)) batches += b.ids.size() == batch_size;
  });
  REQUIRE(message == reasons.begin()->second);
  REQUIRE(batches == reasons.begin()->first / batch_size);

  // Tolerant: each is replaced by the first valid sample that its random stream draws.
  constexpr std::uint64_t seed = 7, epoch = 3;
  loader const tolerant{copy, {.batch = batch_size, .seed = seed, .threads = 2, .shuffle = false, .augment = false}};
  std::int64_t place = 0;
  std::set<std::int64_t> met;
  for (batch const& b : tolerant.epoch(epoch)) {
    auto const* pixels = b.images.template const_data_ptr<float>();
    auto const* truth  = b.truth.template const_data_ptr<typename S::truth_value>();
    for (std::int64_t const id : b.ids) {
      CAPTURE(place, id);
      std::int64_t wanted = place;
      c2f::random_stream draw{seed, c2f::purpose::replace, epoch, static_cast<std::uint64_t>(place)};
      for (; reasons.contains(wanted); wanted = draw.below(static_cast<std::uint32_t>(copy.size()))) met.insert(wanted);
      REQUIRE(id == wanted);
      // Harmless or undetectable damage: compared with the copy; the rest with the intact set.
      sample<S> const s(done.contains(id) ? copy : intact, id);
      REQUIRE(same_bits(s.pixels, pixels));
      REQUIRE(same_bits(s.truth, truth));
      pixels += s.pixels.size();
      truth += s.truth.size();
      ++place;
    }
  }
  REQUIRE(place == copy.size());
  auto const replaced = tolerant.replaced();
  REQUIRE(replaced.total == std::ssize(reasons));
  REQUIRE(replaced.ids == met);
  for (auto const& [id, reason] : replaced.reasons) REQUIRE(reason == reasons.at(id));
  return std::ssize(reasons);
}

// Damages a file of the copy; `removed` takes it away.
void hurt(fs::path const& file, way how, format kind, std::int64_t id) {
  c2f::random_stream draw{1, c2f::purpose::corrupt, 0, static_cast<std::uint64_t>(id)};
  if (how == way::removed)
    fs::remove(file);
  else
    write(file, damaged(contents(file), how, kind, draw));
}

way way_of(std::size_t i) { return static_cast<way>(i % ways); }

// Every second damage is one of the annotation; with 20, each way occurs once for both.
template <std::int64_t Classes>
void damage_voc(voc_options options, fs::path const& to, std::string const& pictures, std::string const& annotations) {
  voc<Classes, 16> const intact(options);
  damages done;
  auto const chosen = some_of(intact.train.size(), 2 * ways);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::int64_t id = chosen[i];
    while (!refusal([&] { (void)intact.train.picture(id); }).empty()) ++id;
    fs::path const picture = to / pictures / intact.train.name_of(id);
    fs::path const xml     = to / annotations / (picture.stem().string() + ".xml");
    // Without a list, a sample without its annotation does not exist.
    bool const first       = i / ways % 2 == 0 || (way_of(i) == way::removed && options.train_set.empty());
    hurt(first ? picture : xml, way_of(i), first ? format::jpeg : format::xml, id);
    done.emplace(id, damage{way_of(i), first ? format::jpeg : format::xml, picture.stem().string()});
  }
  options.root = to;
  voc<Classes, 16> const copy(options);
  REQUIRE(compare(intact.train, copy.train, done) >= 15);
}

}  // namespace

TEST_CASE("damaged samples of BCCD") {
  auto const root = tests::data("bccd");
  if (!root) {
    C2F_SKIP("no BCCD here; set C2F_DATA");
  }
  // As many names as the level needs, from the list for training and validation.
  folder const dir;
  fs::path const from = *root / "BCCD", part = dir.path / "part", copy = dir.path / "copy";
  std::ifstream list(from / "ImageSets/Main/trainval.txt");
  std::string name, train;
  for (int n = 0; (tests::level() > 1 || n < 150) && list >> name; ++n) {
    train += name + "\n";
    for (auto const& to : {part, copy})
      for (std::string const& file : {"JPEGImages/" + name + ".jpg", "Annotations/" + name + ".xml"})
        write(to / file, contents(from / file));
  }
  for (auto const& to : {part, copy})
    for (auto const& [set, names] :
         {std::pair{"train", train.substr(train.find('\n') + 1)}, std::pair{"test", train.substr(0, train.find('\n'))}})
      write(to / "ImageSets/Main" / (std::string(set) + ".txt"), {names.begin(), names.end()});
  damage_voc<3>({.root = part, .classes = {"WBC", "RBC", "Platelets"}, .objects = object_choice::largest}, copy, "JPEGImages",
                "Annotations");
}

TEST_CASE("damaged samples of pets3") {
  auto const root = tests::data("pets3");
  if (!root) {
    C2F_SKIP("no pets3 here; set C2F_DATA");
  }
  folder const dir;
  fs::path const part = dir.path / "part", copy = dir.path / "copy";
  int n = 0;
  for (auto const& xml : detail::names_in(*root / "xmls", [](auto const&) { return true; })) {
    if (tests::level() < 2 && ++n > 150) break;
    std::string const name = fs::path(xml).stem().string();
    for (auto const& to : {part, copy}) {
      write(to / "xmls" / (name + ".xml"), contents(*root / "xmls" / xml));
      write(to / "images" / (name + ".jpg"), contents(*root / "images" / (name + ".jpg")));
    }
  }
  voc_options options{.root = part, .class_from = class_source::any, .train_set = "", .test_set = ""};
  options.test_fraction = .1;
  damage_voc<1>(options, copy, "images", "xmls");
}

TEST_CASE("damaged samples of CamVid") {
  auto const root = tests::data("camvid_240x180");
  if (!root) {
    C2F_SKIP("no CamVid here; set C2F_DATA");
  }
  folder const dir;
  fs::path const part = dir.path / "part", copy = dir.path / "copy";
  auto const all = detail::names_in(*root / "train", [](auto const&) { return true; });
  for (auto const& name : all) {
    if (tests::level() < 2 && name > *std::next(all.begin(), 100)) break;
    for (std::string const half : {"train", "trainannot"})
      for (auto const& to : {part, copy}) write(to / half / name, contents(*root / half / name));
  }
  street_scenes<180, 240> const intact("part", part / "train", part / "trainannot");
  damages done;
  auto const chosen = some_of(intact.size(), 2 * ways);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::string const name = fs::path(intact.file(chosen[i])).filename().string();
    hurt(copy / (i / ways % 2 == 0 ? "train" : "trainannot") / name, way_of(i), format::png, chosen[i]);
    done.emplace(chosen[i], damage{way_of(i), format::png, name});
  }
  street_scenes<180, 240> const hurt("copy", copy / "train", copy / "trainannot");
  REQUIRE(compare(intact, hurt, done) >= 18);
}

TEST_CASE("damaged drawings of Omniglot") {
  auto const root = tests::data("omniglot");
  if (!root) {
    C2F_SKIP("no omniglot here; set C2F_DATA");
  }
  folder const dir;
  zip_archive const all(*root / "images_background_small1.zip");
  std::vector<std::pair<std::string, bytes>> drawings;
  for (auto const& entry : all.names())
    if (entry.ends_with(".png") && (tests::level() > 1 || drawings.size() < 200)) drawings.emplace_back(entry, all.read(entry));
  std::sort(drawings.begin(), drawings.end());  // the order of ids
  auto const pack = [&](std::string const& name) {
    fs::path const file  = dir.path / name;
    zip_t* const archive = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    REQUIRE(archive != nullptr);
    for (auto const& [entry, content] : drawings)
      REQUIRE(zip_file_add(archive, entry.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0) >= 0);
    REQUIRE(zip_close(archive) == 0);
    return file;
  };
  omniglot_split<28> const intact("part", {pack("part.zip")});
  damages done;
  std::set<std::string> removed;
  for (std::int64_t const id : some_of(intact.size(), ways)) {
    auto& [entry, content] = drawings[static_cast<std::size_t>(id)];
    way const how          = way_of(done.size());
    c2f::random_stream draw{1, c2f::purpose::corrupt, 0, static_cast<std::uint64_t>(id)};
    if (how == way::removed) removed.insert(entry);
    content = damaged(content, how, format::png, draw);
    done.emplace(id, damage{how, format::png, entry});
  }
  fs::path const copy = pack("copy.zip");
  // Every entry of the central directory is a sample. The local header (PK, 3, 4; name at 30) is overwritten with zeros.
  bytes archive       = contents(copy);
  for (auto const& entry : removed) {
    auto const at = std::search(archive.begin(), archive.end(), entry.begin(), entry.end());
    REQUIRE(at - archive.begin() >= 30);
    std::fill_n(at - 30, 30, std::uint8_t{0});
  }
  write(copy, archive);
  REQUIRE(compare(intact, omniglot_split<28>("copy", {copy}), done) >= 9);

  // The archive as a whole, in either mode.
  archive.resize(archive.size() - 30);
  write(copy, archive);
  tests::require_message(refusal([&] { omniglot_split<28>("copy", {copy}); }), {"copy.zip'", "not a whole zip archive"});
}

TEST_CASE("damaged volumes of the hippocampus") {
  auto const root = tests::data("hippocampus/data/TrainingSet");
  if (!root) {
    C2F_SKIP("no hippocampus here; set C2F_DATA");
  }
  folder const dir;
  fs::path const part = dir.path / "part", copy = dir.path / "copy";
  std::vector<std::string> names;
  for (auto const& name : detail::all_files_in(*root / "images"))
    if (fs::exists(*root / "labels" / name) && (tests::level() > 1 || names.size() < 100)) names.push_back(name);
  for (auto const& name : names)
    for (std::string const half : {"images", "labels"})
      for (auto const& to : {part, copy}) write(to / half / name, contents(*root / half / name));

  std::map<std::string, damage> done;
  for (std::int64_t const i : some_of(std::ssize(names), 2 * ways)) {
    way const how          = way_of(done.size());
    std::string const half = done.size() / ways % 2 == 0 ? "images" : "labels", name = names[static_cast<std::size_t>(i)];
    hurt(copy / half / name, how, format::nifti_gz, i);
    done.emplace(name, damage{how, format::nifti_gz, half + "/" + name});
  }
  // An unusable volume has no slices to replace: it is left out and reported, or it is an error.
  auto const cases = [](organ<64, 64> const& from) {
    std::map<std::string, organ_case const*> found;
    for (auto const* split : {&from.train, &from.test})
      for (organ_case const& c : split->cases()) REQUIRE(found.emplace(c.name, &c).second);
    return found;
  };
  organ<64, 64> const intact(part / "images", part / "labels", {.keep = 1}), hurt(copy / "images", copy / "labels", {.keep = 1});
  auto const before = cases(intact), after = cases(hurt);
  REQUIRE(intact.faults.empty());
  std::set<std::string> left_out;
  for (auto const& fault : hurt.faults)
    for (auto const& [name, what] : done)
      if (has(fault, what.file)) left_out.insert(name);
  REQUIRE(left_out.size() == hurt.faults.size());
  REQUIRE(after.size() + left_out.size() == before.size());
  for (auto const& [name, whole] : before) {
    auto const damage = done.find(name);
    CAPTURE(name);
    REQUIRE(after.contains(name) == !left_out.contains(name));
    if (damage != done.end()) REQUIRE(left_out.contains(name) == (expected(damage->second.how, format::nifti_gz) == outcome::found));
    if (!after.contains(name)) continue;
    REQUIRE(same_bits(whole->intensities.values, after.at(name)->intensities.values.data()));
    REQUIRE(whole->target.values == after.at(name)->target.values);
    REQUIRE(whole->target.place == after.at(name)->target.place);
  }
  REQUIRE(refusal([&] { organ<64, 64>(copy / "images", copy / "labels", {.keep = 1, .strict = true}); }) == hurt.faults.front());
}

TEST_CASE("damaged files of CIFAR-100") {
  auto const root = tests::data("cifar-100-binary");
  if (!root) {
    C2F_SKIP("no CIFAR-100 here; set C2F_DATA");
  }
  // A file of records has no checksums. A wrong size or label is an error in either mode; other damage changes the pixels of those records
  // alone.
  folder const dir;
  fs::path const train = dir.path / "train.bin";
  bool const whole     = tests::level() > 1;
  std::size_t const n = whole ? 10000 : 200, record = 3074;
  auto const allowed = counts::any;
  bytes all          = contents(*root / "test.bin");
  all.resize(n * record);
  write(dir.path / "test.bin", all);
  write(train, all);
  cifar100 const intact(dir.path, allowed);
  REQUIRE(intact.train.size() == static_cast<std::int64_t>(n));

  auto const refused = [&] { return refusal([&] { cifar100(dir.path, allowed); }); };
  auto const changed = [&](auto const& change) {
    bytes file = all;
    change(file);
    write(train, file);
  };
  c2f::random_stream draw{1, c2f::purpose::corrupt, 0, 0};
  changed([](bytes& f) { f.resize(f.size() / 2 + 100); });
  tests::require_message(refused(), {"train.bin' has", "ends inside record"});
  changed([](bytes& f) { f.insert(f.end(), 100, 'Z'); });
  tests::require_message(refused(), {"train.bin' has", "ends inside record"});
  changed([](bytes& f) { f.clear(); });
  tests::require_message(refused(), {"train.bin' has 0 bytes"});
  changed([](bytes& f) { std::copy_n("\x89PNG\r\n\x1a\n", 8, f.begin()); });
  tests::require_message(refused(), {"train.bin', byte 0: coarse label 137 of record 0"});
  changed([](bytes& f) { f.resize(f.size() / 3); });  // records of one channel
  tests::require_message(refused(), {"train.bin' has", "ends inside record"});
  changed([&](bytes& f) {
    for (auto& byte : f) byte = static_cast<std::uint8_t>(draw.below(256));
  });
  tests::require_message(refused(), {"train.bin', byte ", "label"});
  fs::resize_file(train, std::uintmax_t{1} << 40);  // sparse: no disk space, no memory
  tests::require_message(refused(), {"train.bin' has 1099511627776 bytes instead of 153700000"});
  fs::remove(train);
  tests::require_message(refused(), {"train.bin"});
  changed([&](bytes& f) { f[record * (n - 1) + 1] = 100; });
  tests::require_message(
      refused(), {"train.bin', byte " + std::to_string(record * (n - 1) + 1) + ": fine label 100 of record " + std::to_string(n - 1)});

  // Zeros and flipped bits among the pixels of one record in a hundred.
  std::set<std::int64_t> other;
  changed([&](bytes& f) {
    for (std::int64_t const id : some_of(static_cast<std::int64_t>(n), 2)) {
      auto const pixels = f.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(id) * record + 2);
      if (other.size() % 2 == 0)
        std::fill_n(pixels + 100, 2000, std::uint8_t{0});
      else
        for (int i = 0; i < 16; ++i) pixels[draw.below(3072)] ^= static_cast<std::uint8_t>(1u << draw.below(8));
      other.insert(id);
    }
  });
  cifar100 const copy(dir.path, allowed);
  REQUIRE(copy.train.size() == intact.train.size());
  for (std::int64_t id = 0; id < intact.train.size(); ++id) {
    sample const before(intact.train, id), after(copy.train, id);
    CAPTURE(id);
    REQUIRE(after.refused.empty());
    REQUIRE(before.truth == after.truth);
    REQUIRE(same_bits(before.pixels, after.pixels.data()) == !other.contains(id));
  }
}
