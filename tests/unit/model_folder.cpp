// Model folders: what is saved is what predicts, in the terms of the picture; nothing malformed is loaded; folders are whole or absent.
#include <c2f/data/draw/canvas.hpp>
#include <c2f/inference/model_folder.hpp>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <cerrno>
#include <fstream>
#include <set>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using c2f::data::picture_bytes;
using c2f::data::resizing;

struct classes : tiny::class_vector {};
struct boxes : tiny::boxes {};
struct two_boxes {
  static constexpr char const* name = "two-boxes";
  using input                       = c2f::image<3, 16, 16>;
  using network                     = c2f::localiser<tiny::layers, c2f::boxes<2>, 8>;
};
struct masks {
  static constexpr char const* name = "masks";
  using input                       = c2f::image<3, 16, 16>;
  using network                     = c2f::unet<1, 4, c2f::dense<3>>;
};
struct averaged : classes {
  using combine = c2f::combine::average;
};

picture_bytes photo(std::int64_t height, std::int64_t width, std::uint64_t seed = 1) {
  picture_bytes made{height, width, {}};
  c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, 0};
  for (std::int64_t i = 0; i < 3 * height * width; ++i) made.rgb.push_back(static_cast<std::uint8_t>(draw.below(256)));
  return made;
}

/// The picture as a normalised batch, where it has the size of the input.
at::Tensor batch_of(picture_bytes const& picture) {
  at::Tensor const bytes = at::from_blob(const_cast<std::uint8_t*>(picture.rgb.data()), {picture.height, picture.width, 3}, at::kByte);
  at::Tensor made        = bytes.to(at::kFloat).div(255).permute({2, 0, 1}).unsqueeze(0).contiguous();
  float const mean[]{.485f, .456f, .406f}, deviation[]{.229f, .224f, .225f};
  for (std::int64_t c = 0; c < 3; ++c) made.select(1, c).sub_(mean[c]).div_(deviation[c]);
  return made;
}
std::string text_in(fs::path const& file) {
  auto const bytes = tests::contents(file);
  return {bytes.begin(), bytes.end()};
}
void put(fs::path const& file, std::string const& text) { std::ofstream(file, std::ios::binary) << text; }

}  // namespace

TEST_CASE("A saved model answers as the stack that was saved, by the names of the classes", "[model_folder]") {
  tests::scratch const dir;
  c2f::stack<classes> model(3);
  c2f::save_model(model, dir.path / "new" / "model", {.classes = {"cat", "dog", "elk"}});
  auto loaded               = c2f::load_model<classes>(dir.path / "new" / "model");
  picture_bytes const seen  = photo(8, 8);
  auto const found          = loaded.predict(seen);
  auto const [coarse, fine] = model(batch_of(seen), c2f::eval);
  for (auto const& [answer, raw] : {std::pair{found.answer, fine}, {found.coarse, coarse}}) {
    at::Tensor const wanted = raw.softmax(1);
    REQUIRE(answer.classes.size() == 3);
    double sum = 0, before = 1;
    for (auto const& [name, probability] : answer.classes) {
      auto const k = name == "cat" ? 0 : name == "dog" ? 1 : 2;
      REQUIRE(std::abs(probability - wanted[0][k].item<double>()) < 1e-5);
      REQUIRE(probability <= before);
      sum += before = probability;
    }
    REQUIRE(std::abs(sum - 1) < 1e-5);
  }
  REQUIRE_FALSE(coarse.softmax(1).allclose(fine.softmax(1), 1e-4, 1e-5));  // else the two could be exchanged
  // Many at once, of any size.
  std::vector<c2f::data::fitted_picture> const several{loaded.fitted(photo(40, 17, 2)), loaded.fitted(seen), loaded.fitted(photo(8, 8, 3))};
  auto const all = loaded.predict(several);
  REQUIRE(all.size() == 3);
  REQUIRE(std::abs(all[1].answer.classes[0].probability - found.answer.classes[0].probability) < 1e-5);
  REQUIRE(std::abs(all[2].answer.classes[0].probability - found.answer.classes[0].probability) > 1e-6);
}

TEST_CASE("A file, too, and by the normalisation of model.json", "[model_folder]") {
  tests::scratch const dir;
  c2f::stack<classes> const model(3);
  c2f::save_model(model, dir.path / "model", {.normalised = {.mean = {0, 0, 0}, .deviation = {1, 1, 1}}});
  auto loaded = c2f::load_model<classes>(dir.path / "model");
  REQUIRE(loaded.description().classes == std::vector<std::string>{"0", "1", "2"});
  picture_bytes const seen = photo(8, 8);
  c2f::data::canvas page(8, 8);
  page.blit(seen.rgb, 8, 8, 0, 0);
  page.write_png(dir.path / "seen.png");
  auto const found = loaded.predict(dir.path / "seen.png").answer;
  at::Tensor batch = batch_of(seen);
  float const mean[]{.485f, .456f, .406f}, deviation[]{.229f, .224f, .225f};
  for (std::int64_t c = 0; c < 3; ++c) batch.select(1, c).mul_(deviation[c]).add_(mean[c]);
  at::Tensor const wanted = model(batch, c2f::eval).answer.softmax(1);
  for (auto const& each : found.classes) REQUIRE(std::abs(each.probability - wanted[0][std::stoi(each.name)].item<double>()) < 1e-5);
}

TEST_CASE("Boxes come back in pixels of the picture", "[model_folder]") {
  tests::scratch const dir;
  c2f::stack<boxes> const model(5);
  c2f::save_model(model, dir.path / "model", {.classes = {"head"}, .resize = resizing::letterbox});
  auto loaded              = c2f::load_model<boxes>(dir.path / "model");
  // A picture of 32 x 16 on a square of 16: scale .5, 4 pixels of padding above and below.
  picture_bytes const wide = photo(16, 32);
  auto const seen          = loaded.fitted(wide);
  REQUIRE(seen.rgb.size() == 3 * 16 * 16);
  REQUIRE(seen.rgb[0] == 124);
  REQUIRE(seen.rgb[3 * 16 * 4 - 1] == 104);  // the last padded row
  REQUIRE(seen.rgb[3 * 16 * 4] != 124);
  auto const found = loaded.predict(wide).answer;
  REQUIRE(found.boxes.size() == 1);
  REQUIRE(found.boxes[0].name == "head");
  at::Tensor const box = model(batch_of({16, 16, seen.rgb}), c2f::eval).answer.sigmoid()[0];
  auto const number    = [&](int i) { return 16 * box[i].item<double>(); };
  auto const x         = [](double at) { return std::clamp(at / .5, 0.0, 32.0); };
  auto const y         = [](double at) { return std::clamp((at - 4) / .5, 0.0, 16.0); };
  REQUIRE(std::abs(found.boxes[0].where.x0 - x(number(0) - number(2) / 2)) < 1e-3);
  REQUIRE(std::abs(found.boxes[0].where.x1 - x(number(0) + number(2) / 2)) < 1e-3);
  REQUIRE(std::abs(found.boxes[0].where.y0 - y(number(1) - number(3) / 2)) < 1e-3);
  REQUIRE(std::abs(found.boxes[0].where.y1 - y(number(1) + number(3) / 2)) < 1e-3);
}

TEST_CASE("A class that is predicted as absent has no box", "[model_folder]") {
  tests::scratch const dir;
  c2f::stack<two_boxes> model(5);
  c2f::for_each_tensor(model, [](std::string const& path, c2f::state_tensor& each, auto const&) {
    if (!path.ends_with("head.8.bias")) return;  // the last layer's
    at::Tensor const bias = each.tensor().detach();
    bias[4]               = -50;
    bias[9]               = 50;
  });
  c2f::save_model(model, dir.path / "model", {.classes = {"cat", "dog"}});
  auto const found = c2f::load_model<two_boxes>(dir.path / "model").predict(photo(16, 16)).answer;
  REQUIRE(found.boxes.size() == 1);
  REQUIRE(found.boxes[0].name == "dog");
  REQUIRE(found.boxes[0].probability > .99);
}

TEST_CASE("A mask has the size of the picture", "[model_folder]") {
  tests::scratch const dir;
  c2f::stack<masks> const model(7);
  c2f::save_model(model, dir.path / "model", {.classes = {"sky", "road", "car"}});
  auto loaded              = c2f::load_model<masks>(dir.path / "model");
  picture_bytes const seen = photo(16, 16);
  for (auto const& [height, width] : {std::pair{16, 16}, {32, 48}}) {
    // The same picture, described as one of another size, so that the logits are the same.
    c2f::data::fitted_picture fitted = loaded.fitted(seen);
    fitted.height = height, fitted.width = width;
    fitted.place           = c2f::data::picture_place::of(resizing::stretch, height, width, 16, 16);
    auto const found       = loaded.predict(std::span(&fitted, 1)).front().answer.mask;
    at::Tensor const raw   = model(batch_of(seen), c2f::eval).answer;
    at::Tensor const large = at::upsample_bilinear2d(raw, {height, width}, /*align_corners=*/false).argmax(1)[0];
    REQUIRE(found.height == height);
    REQUIRE(found.width == width);
    std::int64_t same = 0;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) same += found.labels[static_cast<std::size_t>(y * width + x)] == large[y][x].item<std::int64_t>();
    REQUIRE(same >= height * width - 2);  // rounding at a tie
  }
}

TEST_CASE("Letterbox and crop place a picture as their names say", "[model_folder]") {
  auto const letterbox = c2f::data::picture_place::of(resizing::letterbox, 100, 200, 50, 50),
             crop      = c2f::data::picture_place::of(resizing::crop, 100, 200, 50, 50),
             stretch   = c2f::data::picture_place::of(resizing::stretch, 100, 200, 50, 50);
  REQUIRE((letterbox.there({0, 0, 200, 100}) == c2f::metrics::box{0, 12.5, 50, 37.5}));
  REQUIRE((crop.there({50, 0, 150, 100}) == c2f::metrics::box{0, 0, 50, 50}));
  REQUIRE((stretch.there({0, 0, 200, 100}) == c2f::metrics::box{0, 0, 50, 50}));
  for (auto const& each : {letterbox, crop, stretch}) REQUIRE((each.back(each.there({7, 8, 90, 70})) == c2f::metrics::box{7, 8, 90, 70}));
}

TEST_CASE("model.json is read as it was written", "[model_folder]") {
  c2f::model_description const about{.task           = "mine",
                                     .parts          = {{"coarse", "x<1>"}},
                                     .kind           = "dense",
                                     .classes        = {"sky", "a \"b\"", "日"},
                                     .height         = 12,
                                     .width          = 34,
                                     .normalised     = {.mean = {.1f, .2f, .3f}, .deviation = {1, 2, 3}},
                                     .resize         = resizing::crop,
                                     .palette        = {{1, 2, 3}, {4, 5, 6}},
                                     .mask_values    = {0, 255},
                                     .scores         = {{"fine", {{"miou", .5}}}},
                                     .data           = "streets",
                                     .samples        = 367,
                                     .fingerprint    = "0123",
                                     .version        = 100,
                                     .compiler       = "g++ 12",
                                     .weights_sha256 = "ab"};
  auto const again = c2f::parse_model_description(c2f::text_of(about), "model.json");
  REQUIRE(c2f::text_of(again) == c2f::text_of(about));
  REQUIRE((again.classes == about.classes));
  REQUIRE((again.normalised == about.normalised));
  REQUIRE((again.resize == about.resize));
  REQUIRE((again.palette == about.palette));
  REQUIRE((again.mask_values == about.mask_values));
  REQUIRE(again.scores[0].values[0].second == .5);
  REQUIRE((again.parts == about.parts));
}

TEST_CASE("A malformed model.json is refused in one sentence", "[model_folder]") {
  tests::scratch const dir;
  auto const folder = dir.path / "model";
  c2f::save_model(c2f::stack<classes>(1), folder);
  auto const good   = nlohmann::ordered_json::parse(text_in(folder / "model.json"));
  auto const refuse = [&](std::string const& text, std::vector<std::string> parts) {
    put(folder / "model.json", text);
    parts.push_back("model.json' is not the model.json of a model: it ");
    tests::require_message(tests::refusal([&] { static_cast<void>(c2f::load_model<classes>(folder)); }), parts);
  };
  static_cast<void>(c2f::load_model<classes>(folder));
  refuse("", {"no JSON"});
  refuse("{", {"no JSON"});
  refuse("[1]", {"no JSON object"});
  refuse(std::string(100000, '['), {"no JSON"});
  for (auto const& [name, value] : good.items()) {
    auto without = good;
    without.erase(name);
    refuse(without.dump(), {"has no member '" + name + "'"});
    auto wrong  = good;
    wrong[name] = true;
    refuse(wrong.dump(), {"'" + name + "'"});
  }
  auto const change = [&](char const* pointer, nlohmann::ordered_json const& value) {
    auto changed                                           = good;
    changed[nlohmann::ordered_json::json_pointer(pointer)] = value;
    return changed.dump();
  };
  refuse(change("/format", "c2f model 9"), {"'c2f model 9' and not 'c2f model 1'"});
  refuse(change("/classes/0", 7), {"'classes' that is no text"});
  refuse(change("/classes/0", "\x1b[31m"), {"control characters in 'classes'"});
  refuse(change("/input/height", 1e9), {"'input.height'"});
  refuse(change("/input/height", std::uint64_t{1} << 63), {"'input.height'"});
  refuse(change("/normalisation/deviation/1", 0), {"'normalisation.deviation' that is out of range"});
  refuse(change("/normalisation/mean", {1, 2}), {"'normalisation.mean' that is no list of three numbers"});
  refuse(change("/normalisation/mean/0", nullptr), {"'normalisation.mean' that is no number"});
  refuse(change("/resizing", "squash"), {"'squash'"});
  refuse(change("/palette", nlohmann::ordered_json::array({{1, 2}})), {"'palette'"});
  refuse(change("/palette", nlohmann::ordered_json::array({{1, 2, 256}})), {"'palette'"});
  refuse(change("/scores", {{"fine", 3}}), {"'scores'"});
}

TEST_CASE("A model of another task, or whose files do not belong together, is refused", "[model_folder]") {
  tests::scratch const dir;
  c2f::save_model(c2f::stack<classes>(1), dir.path / "a", {.classes = {"x", "y", "z"}});
  c2f::save_model(c2f::stack<classes>(2), dir.path / "b");
  c2f::save_model(c2f::stack<boxes>(2), dir.path / "c");
  auto const refusal = [&]<class Task>(char const* folder, c2f::chosen<Task>) {
    return tests::refusal([&] { static_cast<void>(c2f::load_model<Task>(dir.path / folder)); });
  };
  tests::require_message(refusal("a", c2f::chosen<boxes>{}), {"has the kind class_vector", "'tiny-boxes' has boxes"});
  tests::require_message(refusal("c", c2f::chosen<two_boxes>{}), {"has the part 'coarse'", "boxes<1>", "boxes<2>"});
  tests::require_message(refusal("a", c2f::chosen<averaged>{}), {"has the part 'combine' combine::fine", "combine::average"});
  tests::require_message(refusal("nowhere", c2f::chosen<classes>{}), {"no folder", "nowhere"});
  fs::remove(dir.path / "b/model.json");
  tests::require_message(refusal("b", c2f::chosen<classes>{}), {"model.json"});
  fs::copy_file(dir.path / "b/weights.safetensors", dir.path / "a/weights.safetensors", fs::copy_options::overwrite_existing);
  tests::require_message(refusal("a", c2f::chosen<classes>{}), {"is not whole", "weights.safetensors"});
  fs::remove(dir.path / "a/weights.safetensors");
  tests::require_message(refusal("a", c2f::chosen<classes>{}), {"weights.safetensors"});
}

TEST_CASE("A model replaces a model where folders cannot be exchanged, and stays where it cannot be replaced", "[model_folder]") {
  tests::scratch const dir;
  auto const made = dir.path / "m.part1", path = dir.path / "m";
  auto const old_and_new = [&] {
    for (auto const& [folder, text] : {std::pair{path, "old"}, {made, "new"}}) {
      fs::create_directories(folder);
      put(folder / "model.json", text);
    }
  };
  auto const names = [&] {
    std::set<std::string> found;
    for (auto const& each : fs::directory_iterator(dir.path)) found.insert(each.path().filename().string());
    return found;
  };
  for (auto const exchange : {+[](fs::path const&, fs::path const&) { return errno = EINVAL, false; },
                              +[](fs::path const&, fs::path const&) { return errno = ENOSYS, false; }, &c2f::detail::exchange_folders}) {
    old_and_new();
    c2f::detail::put_folder(made, path, exchange);
    REQUIRE(text_in(path / "model.json") == "new");
    REQUIRE(names() == std::set<std::string>{"m"});
  }
  // Another error, and one of the second rename: the older model is there, and the sentence says which folder.
  old_and_new();
  auto const refused = [&](auto const exchange) { return tests::refusal([&] { c2f::detail::put_folder(made, path, exchange); }); };
  tests::require_message(refused(+[](fs::path const&, fs::path const&) { return errno = EACCES, false; }),
                         {"cannot write", path.string(), "Permission denied"});
  REQUIRE(text_in(path / "model.json") == "old");
  REQUIRE(names() == std::set<std::string>{"m"});
  tests::require_message(refused(+[](fs::path const&, fs::path const&) { return errno = EINVAL, false; }), {"cannot write", path.string()});
  REQUIRE(text_in(path / "model.json") == "old");  // `made` is not there any more
  REQUIRE(names() == std::set<std::string>{"m"});
}

TEST_CASE("A model replaces a model and nothing else", "[model_folder]") {
  tests::scratch const dir;
  auto const folder = dir.path / "model";
  c2f::save_model(c2f::stack<classes>(1), folder);
  c2f::save_model(c2f::stack<classes>(2), folder / "", {.classes = {"new", "b", "c"}});
  REQUIRE(c2f::load_model<classes>(folder).description().classes[0] == "new");
  put(folder / "thesis.txt", "x");
  tests::require_message(tests::refusal([&] { c2f::save_model(c2f::stack<classes>(3), folder); }), {"cannot save a model", "model"});
  REQUIRE(c2f::load_model<classes>(folder).description().classes[0] == "new");
  put(dir.path / "file", "x");
  tests::require_message(tests::refusal([&] { c2f::save_model(c2f::stack<classes>(3), dir.path / "file"); }), {"cannot save a model"});
  fs::create_directory_symlink(folder, dir.path / "link");
  tests::require_message(tests::refusal([&] { c2f::save_model(c2f::stack<classes>(3), dir.path / "link"); }), {"cannot save a model"});
  tests::require_message(
      tests::refusal([&] { c2f::save_model(c2f::stack<classes>(3), dir.path / "m", {.classes = {"a", "b", "c", "d"}}); }),
      {"3 classes", "4 names"});
  std::size_t left = 0;
  for ([[maybe_unused]] auto const& each : fs::directory_iterator(dir.path)) ++left;
  REQUIRE(left == 3);  // model, file, link: no temporary folder
}
