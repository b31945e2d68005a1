// Views of a picture: where windows lie, the weighted mean of maps against its definition, and what models answer by several views.
#include <c2f/conformance.hpp>
#include <c2f/inference/model_folder.hpp>
#include <c2f/inference/sliding_windows.hpp>
#include <c2f/train/evaluate.hpp>

#include <ATen/ops/upsample_bilinear2d.h>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::picture_view;
using c2f::view_options;
using c2f::data::picture_bytes;
using c2f::data::resizing;

struct classes : tiny::class_vector {};
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
/// A pixel's logits depend on that pixel alone: windows must answer as the whole image.
template <std::int64_t Classes>
struct pointwise {
  static constexpr char const* name = "pointwise";
  using input                       = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  using network                     = c2f::predicts<c2f::dense<Classes>, c2f::conv<Classes, 1, 1, 0, c2f::bias>>;
};

picture_bytes photo(std::int64_t height, std::int64_t width, std::uint64_t seed = 1) {
  picture_bytes made{height, width, {}};
  c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, 0};
  for (std::int64_t i = 0; i < 3 * height * width; ++i) made.rgb.push_back(static_cast<std::uint8_t>(draw.below(256)));
  return made;
}
picture_bytes mirrored(picture_bytes const& from) {
  picture_bytes made = from;
  for (std::int64_t y = 0; y < from.height; ++y)
    for (std::int64_t x = 0; x < from.width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        made.rgb[static_cast<std::size_t>(3 * (y * from.width + x) + c)] =
            from.rgb[static_cast<std::size_t>(3 * (y * from.width + from.width - 1 - x) + c)];
  return made;
}

/// The definition: at each pixel the maps of all views that have it, one after the other, in double.
std::vector<double> naive_mean(std::vector<picture_view> const& views, at::Tensor const& maps, std::int64_t k, std::int64_t height,
                               std::int64_t width) {
  auto const side_h = maps.size(2), side_w = maps.size(3);
  std::vector<double> made;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      double sum = 0, weights = 0;
      for (std::size_t v = 0; v < views.size(); ++v) {
        auto const& [across, down] = views[v].place;
        double const px            = static_cast<double>(across.mirrored ? width - 1 - x : x) + .5;
        double const u = across.scale * px + across.shift, r = down.scale * (static_cast<double>(y) + .5) + down.shift;
        auto const h = static_cast<double>(side_h), w = static_cast<double>(side_w);
        bool const inside = u >= 0 && u <= w && r >= 0 && r <= h;
        double weight     = inside ? 1 : 1.0 / (1 << 20);
        double const cu = std::clamp(u, .5, w - .5), cr = std::clamp(r, .5, h - .5);
        if (views[v].window) weight = !inside ? 0 : std::min(cu, w - cu) * std::min(cr, h - cr) * 4 / (w * h);
        if (weight == 0) continue;
        auto const x0 = static_cast<std::int64_t>(cu - .5), y0 = static_cast<std::int64_t>(cr - .5);
        double const fx = cu - .5 - static_cast<double>(x0), fy = cr - .5 - static_cast<double>(y0);
        auto const at = [&](std::int64_t row, std::int64_t column) {
          return maps[static_cast<std::int64_t>(v)][k][std::min(row, side_h - 1)][std::min(column, side_w - 1)].item<double>();
        };
        sum += weight *
               ((1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) + fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1)));
        weights += weight;
      }
      made.push_back(sum / weights);
    }
  return made;
}

}  // namespace

TEST_CASE("Windows lie evenly from border to border and overlap by at least what is asked", "[views]") {
  for (double const overlap : {0.0, .25, .5, .75})
    for (double size = 1; size < 200; size += .7) {
      auto const begins = c2f::detail::window_begins(size, 32, overlap);
      CAPTURE(size, overlap, begins);
      if (size <= 32) {
        REQUIRE(begins == std::vector<double>{std::floor((size - 32) / 2)});
        continue;
      }
      REQUIRE(begins.front() == 0);
      REQUIRE(begins.back() > size - 32 - 1e-6);
      REQUIRE(begins.back() < size - 31);
      for (std::size_t i = 1; i < begins.size(); ++i) {
        REQUIRE(begins[i] == std::floor(begins[i]));
        REQUIRE(begins[i] > begins[i - 1]);
        REQUIRE(begins[i] - begins[i - 1] <= std::ceil(32 * (1 - overlap)));
      }
      // One window fewer would not overlap enough.
      if (begins.size() > 2) REQUIRE((size - 32) / static_cast<double>(begins.size() - 2) > 32 * (1 - overlap));
    }
}

TEST_CASE("Views are the picture at every scale, as it is and mirrored, or windows below it", "[views]") {
  REQUIRE(view_options{}.one());
  REQUIRE_FALSE(view_options{.flip = true}.one());
  REQUIRE_FALSE(view_options{.scales = {1.5}}.one());
  REQUIRE_FALSE(view_options{.windows = 1}.one());
  auto const views = c2f::views_of({.flip = true, .scales = {1, 2}}, 100, 200, resizing::letterbox, 50, 50);
  REQUIRE(views.size() == 4);
  // The whole picture: scale .25, 12.5 pixels above. Twice as large about the middle of the canvas, 25: x' = 2 x - 25.
  REQUIRE((views[0].place == c2f::data::picture_place{{.25, 0}, {.25, 12.5}}));
  REQUIRE((views[1].place == c2f::data::picture_place{{.25, 0, true}, {.25, 12.5}}));
  REQUIRE((views[2].place == c2f::data::picture_place{{.5, -25}, {.5, 0}}));
  REQUIRE((views[3].place == c2f::data::picture_place{{.5, -25, true}, {.5, 0}}));
  // 100 x 60 pixels below windows of 50: begins 0, 25, 50 and 0, 10.
  auto const windows = c2f::views_of({.windows = .5}, 120, 200, resizing::crop, 50, 50);
  REQUIRE(windows.size() == 6);
  REQUIRE((windows[4].place == c2f::data::picture_place{{.5, -25}, {.5, -10}}));
  REQUIRE(windows[4].window);
  auto const refuse = [](view_options const& how, std::string const& part) {
    tests::require_message(tests::refusal([&] { how.check(); }), {"the views of a picture have", part});
  };
  refuse({.scales = {}}, "no scale");
  refuse({.scales = {1, 0}}, "a scale of 0");
  refuse({.scales = {std::numeric_limits<double>::quiet_NaN()}}, "a scale of nan");
  refuse({.windows = -1}, "windows with a scale of -1");
  refuse({.overlap = 1}, "an overlap of 1");
}

TEST_CASE("The mean over views is that of its definition, and their maps are asked for when their first row comes", "[views]") {
  for (auto const& how : {view_options{.flip = true, .scales = {1, 1.5, .5}}, view_options{.windows = 1},
                          view_options{.windows = 1.7, .overlap = .2}, view_options{.flip = true, .scales = {1, .6}, .windows = .9}})
    for (auto const& [height, width] : {std::pair{45, 23}, {5, 40}, {70, 4}}) {
      auto const views      = c2f::views_of(how, height, width, resizing::letterbox, 12, 16);
      at::Tensor const maps = c2f::detail::sample_numbers({std::ssize(views), 2, 12, 16}, 3).to(at::kFloat);
      std::vector<double> found[2];
      std::int64_t rows = 0, asked = 0;
      c2f::mean_over_views(
          views, height, width, 12, 16, 2,
          [&](std::size_t first, std::size_t count) {
            REQUIRE(std::int64_t(first) == asked);
            REQUIRE(count <= 2);
            asked += std::int64_t(count);
            // Not before the row is there: a picture of any height is answered in bounded memory.
            if (how.windows > 0) REQUIRE(views[first].place.down.scale * (double(rows) + .5) + views[first].place.down.shift >= 0);
            return maps.narrow(0, std::int64_t(first), std::int64_t(count));
          },
          [&](std::int64_t y, float const* sums, float const* weights) {
            REQUIRE(y == rows++);
            for (int k = 0; k < 2; ++k)
              for (std::int64_t x = 0; x < width; ++x) {
                REQUIRE(weights[x] > 0);
                found[k].push_back(sums[k * width + x] / weights[x]);
              }
          });
      REQUIRE(rows == height);
      REQUIRE(asked == std::ssize(views));
      for (int k = 0; k < 2; ++k) {
        auto const wanted = naive_mean(views, maps, k, height, width);
        REQUIRE(found[k].size() == wanted.size());
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          CAPTURE(how.windows, height, width, k, i, found[k][i], wanted[i]);
          REQUIRE(std::abs(found[k][i] - wanted[i]) < 2e-5);
        }
      }
    }
}

TEST_CASE("A model answers by the mean of the probabilities of its views", "[views]") {
  tests::scratch const dir;
  c2f::save_model(c2f::stack<classes>(3), dir.path / "model", {.classes = {"cat", "dog", "elk"}, .resize = resizing::crop});
  auto loaded              = c2f::load_model<classes>(dir.path / "model");
  picture_bytes const seen = photo(20, 30), other = mirrored(seen);
  auto const both = loaded.predict(seen, {.flip = true});
  std::map<std::string, double> wanted, coarse;
  for (auto const& each : {seen, other}) {
    auto const one = loaded.predict(each);
    for (auto const& [name, probability] : one.answer.classes) wanted[name] += probability / 2;
    for (auto const& [name, probability] : one.coarse.classes) coarse[name] += probability / 2;
  }
  for (auto const& [name, probability] : both.answer.classes) REQUIRE(std::abs(probability - wanted[name]) < 1e-5);
  for (auto const& [name, probability] : both.coarse.classes) REQUIRE(std::abs(probability - coarse[name]) < 1e-5);
  REQUIRE(std::abs(both.answer.classes[0].probability - loaded.predict(seen).answer.classes[0].probability) > 1e-6);
  // In passes of any size.
  auto const how = view_options{.flip = true, .scales = {.5, 1, 2}};
  for (std::size_t k = 0; k < 3; ++k)
    REQUIRE(std::abs(loaded.predict(seen, how, 1).answer.classes[k].probability -
                     loaded.predict(seen, how, 4).answer.classes[k].probability) < 1e-5);
  tests::require_message(tests::refusal([&] { static_cast<void>(loaded.predict(seen, {.windows = 1})); }),
                         {"sliding windows are for models that predict a class a pixel", "is class_vector"});
}

TEST_CASE("Boxes of views are brought back, and count by their probability", "[views]") {
  tests::scratch const dir;
  c2f::save_model(c2f::stack<two_boxes>(5), dir.path / "model", {.classes = {"cat", "dog"}, .resize = resizing::letterbox});
  auto loaded              = c2f::load_model<two_boxes>(dir.path / "model");
  picture_bytes const seen = photo(24, 40), other = mirrored(seen);
  using kind         = c2f::boxes<2>;
  auto const numbers = [&](picture_bytes const& of) {
    auto const fitted = loaded.fitted(of);
    auto const raw    = loaded(loaded.images_of(std::span(&fitted, 1))).answer;
    return c2f::detail::numbers_of<kind>(raw, std::span(&fitted, 1), loaded.description()).front();
  };
  auto const plain = numbers(seen), turned = numbers(other);
  auto const found = loaded.predict(seen, {.flip = true}).answer.boxes;
  std::size_t at   = 0;
  for (std::size_t k = 0; k < 2; ++k) {
    double const *a = plain.data() + 5 * k, *b = turned.data() + 5 * k;
    if (!((a[4] + b[4]) / 2 > .5)) continue;
    REQUIRE(at < found.size());
    auto const& box     = found[at++];
    auto const weighted = [&](double first, double second) { return (a[4] * first + b[4] * second) / (a[4] + b[4]); };
    REQUIRE(std::abs(box.probability - (a[4] + b[4]) / 2) < 1e-5);
    REQUIRE(std::abs(box.where.x0 - std::clamp(weighted(a[0], 40 - b[2]), 0.0, 40.0)) < 1e-3);
    REQUIRE(std::abs(box.where.x1 - std::clamp(weighted(a[2], 40 - b[0]), 0.0, 40.0)) < 1e-3);
    REQUIRE(std::abs(box.where.y0 - std::clamp(weighted(a[1], b[1]), 0.0, 24.0)) < 1e-3);
  }
  REQUIRE(at == found.size());
  REQUIRE(at > 0);  // else nothing was compared
  // The mirrored picture has the mirrored answer.
  auto const back = loaded.predict(other, {.flip = true}).answer.boxes;
  REQUIRE(back.size() == found.size());
  REQUIRE(std::abs(back[0].where.x0 - (40 - found[0].where.x1)) < 1e-3);
}

TEST_CASE("Masks by views: mirrored pictures have mirrored masks, and windows answer at the picture's own scale", "[views]") {
  tests::scratch const dir;
  c2f::stack<masks> const model(7);
  c2f::save_model(model, dir.path / "model", {.classes = {"sky", "road", "car"}, .resize = resizing::letterbox});
  auto loaded              = c2f::load_model<masks>(dir.path / "model");
  picture_bytes const seen = photo(40, 52);
  for (auto const& how : {view_options{.flip = true}, view_options{.flip = true, .windows = 1},
                          view_options{.flip = true, .scales = {1, 1.3}, .windows = .8}}) {
    auto const found = loaded.predict(seen, how).answer.mask, back = loaded.predict(mirrored(seen), how).answer.mask;
    REQUIRE(found.height == 40);
    REQUIRE(found.width == 52);
    int same = 0, several = 0;
    for (std::int64_t y = 0; y < 40; ++y)
      for (std::int64_t x = 0; x < 52; ++x) {
        auto const at = static_cast<std::size_t>(y * 52 + x);
        same += found.labels[at] == back.labels[static_cast<std::size_t>(y * 52 + 51 - x)];
        several += found.labels[at] != found.labels[0];
      }
    REQUIRE(same >= 40 * 52 - 8);  // rounding at a tie
    REQUIRE(several > 0);
  }
  // A picture of the size of the input is one window, and the answer that of the whole.
  picture_bytes const small = photo(16, 16);
  REQUIRE(loaded.predict(small, {.windows = 1}).answer.mask.labels == loaded.predict(small).answer.mask.labels);
  REQUIRE(loaded.predict(small, {.windows = 1}).coarse.mask.labels == loaded.predict(small).coarse.mask.labels);
  REQUIRE(loaded.predict(small).coarse.mask.labels != loaded.predict(small).answer.mask.labels);
}

TEMPLATE_TEST_CASE_SIG("Windows of a pointwise network answer as the whole image", "[views]", ((std::int64_t Classes), Classes), 1, 3) {
  using kind = c2f::dense<Classes>;
  c2f::stack<pointwise<Classes>> const model(2);
  for (auto const& [height, width] : {std::pair{50, 41}, {9, 30}, {16, 20}}) {
    at::Tensor const images = c2f::detail::sample_numbers({2, 3, height, width}, 4).to(at::kFloat);
    auto const whole        = model(images, c2f::eval);
    for (auto const& how :
         {c2f::window_options{.height = 16, .width = 20}, {.height = 12, .width = 33, .overlap = .1, .flip = true, .batch = 3}}) {
      c2f::sliding_windows<kind> const windows(model, how);
      auto const found = windows(images, c2f::eval);
      CAPTURE(height, width, how.height, how.overlap);
      // The conditioning of the fine network has its own borders, so the coarse network is compared.
      REQUIRE(kind::predict(found.coarse).allclose(kind::predict(whole.coarse), 1e-4, 1e-5));
      REQUIRE(found.answer.sizes() == whole.answer.sizes());
      REQUIRE_FALSE(found.answer.allclose(found.coarse));
      REQUIRE(found.side.size() == 2);
      REQUIRE(found.side[0].name == "coarse");
      REQUIRE(found.side[0].value.equal(found.coarse));
    }
  }
  tests::require_message(tests::refusal([&] { c2f::sliding_windows<kind>(model, {.height = 0, .width = 3}); }),
                         {"windows of 0 x 3 pixels"});
}
