// The crop: position of the boxes, what is cut out, and how it is pasted back.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/kinds/bundle.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/kinds/depth_map.hpp>
#include <c2f/kinds/weighted_dense.hpp>
#include <c2f/parts/fuse_crop.hpp>

#include "catch.hpp"

namespace {

using rgb  = c2f::image<3, c2f::dynamic, c2f::dynamic>;
using mask = c2f::dense<1>;

template <class Crop, class X = rgb>
using crop_on = typename Crop::template on<X, c2f::no_map>;

struct rectangle {
  std::int64_t top, left, bottom, right;  // inclusive
};
// [N, 1, H, W], 1 in each sample's rectangle.
at::Tensor map_of(std::vector<rectangle> const& each, std::int64_t height = 50, std::int64_t width = 60) {
  at::Tensor map = at::zeros({static_cast<std::int64_t>(each.size()), 1, height, width});
  for (std::size_t i = 0; i < each.size(); ++i) {
    auto const [top, left, bottom, right] = each[i];
    if (bottom >= top)
      map.select(0, static_cast<std::int64_t>(i)).narrow(1, top, bottom - top + 1).narrow(2, left, right - left + 1).fill_(0.5);
  }
  return map;
}

std::array<std::int64_t, 4> sides(c2f::fuse::crop_box const& box) {
  return {box.rows.from, box.columns.from, box.rows.from + box.rows.size, box.columns.from + box.columns.size};
}

template <class Crop>
auto cut(at::Tensor const& map, c2f::mode mode = c2f::eval, at::Tensor const& truth = {}, double t = 1, std::uint64_t epoch = 0,
         std::span<std::int64_t const> ids = {}) {
  c2f::pass p{.mode = mode, .truth = truth, .t = t, .seed = 1, .epoch = epoch, .ids = ids, .conditioning = map};
  at::Tensor const x = c2f::detail::sample_numbers({map.size(0), 3, map.size(2), map.size(3)}, 1).to(at::kFloat);
  return crop_on<Crop>{}(x, {}, p);
}

using box_of = std::array<std::int64_t, 4>;

}  // namespace

TEST_CASE("the box is the smallest around all pixels of .5 or more, plus a margin, inside the image") {
  at::Tensor map = map_of({{10, 20, 14, 29}});
  map[0][0][40][50].fill_(0.499);
  auto const parts = cut<c2f::fuse::crop<3>>(map);
  REQUIRE(sides(parts.boxes[0]) == box_of{7, 17, 18, 33});
  at::Tensor const x = c2f::detail::sample_numbers({1, 3, 50, 60}, 1).to(at::kFloat);
  REQUIRE(parts.joined.equal(x.narrow(2, 7, 11).narrow(3, 17, 16)));
  REQUIRE(sides(cut<c2f::fuse::crop<12>>(map).boxes[0]) == box_of{0, 8, 27, 42});
  REQUIRE(sides(cut<c2f::fuse::crop<>>(map_of({{49, 0, 49, 0}})).boxes[0]) == box_of{29, 0, 50, 21});
}

TEST_CASE("with several classes, all but the first are foreground") {
  at::Tensor map = at::zeros({1, 3, 20, 20});
  map.select(1, 0).fill_(1);
  map[0].narrow(1, 5, 2).narrow(2, 6, 3).fill_(0.3);  // .6 together
  map[0].select(0, 0).narrow(0, 5, 2).narrow(1, 6, 3).fill_(0.4);
  map.narrow(2, 18, 2).fill_(0);  // an ignored pixel is 0 in every channel, and not foreground
  REQUIRE(sides(cut<c2f::fuse::crop<0>>(map).boxes[0]) == box_of{5, 6, 7, 9});
}

TEST_CASE("the boxes of a batch are grown to the largest one, inside the image") {
  auto const parts = cut<c2f::fuse::crop<0>>(map_of({{10, 20, 19, 39}, {1, 58, 1, 58}, {30, 0, 30, 2}}));
  REQUIRE(parts.joined.sizes() == at::IntArrayRef({3, 3, 10, 20}));
  REQUIRE(sides(parts.boxes[0]) == box_of{10, 20, 20, 40});
  REQUIRE(sides(parts.boxes[1]) == box_of{0, 40, 10, 60});  // grown from row 1 - 4 and column 58 - 9, then moved inside
  REQUIRE(sides(parts.boxes[2]) == box_of{26, 0, 36, 20});
  auto const eights = cut<c2f::fuse::crop<0, 0, 8>>(map_of({{10, 20, 18, 36}}, 48, 64));
  REQUIRE(sides(eights.boxes[0]) == box_of{7, 17, 23, 41});
  REQUIRE(sides(cut<c2f::fuse::crop<0, 0, 8>>(map_of({{0, 0, 47, 63}}, 48, 64)).boxes[0]) == box_of{0, 0, 48, 64});
}

TEST_CASE("no foreground: the truth in training, else the whole image") {
  using crop               = c2f::fuse::crop<0, 0>;
  at::Tensor const nothing = map_of({{0, 0, -1, 0}, {5, 5, 6, 7}});
  at::Tensor truth         = at::zeros({2, 50, 60}, at::TensorOptions(at::kLong));
  truth[0].narrow(0, 30, 2).narrow(1, 40, 3).fill_(1);
  truth[1].narrow(0, 30, 2).narrow(1, 40, 3).fill_(1);
  truth[0][0].fill_(255);
  auto const training = cut<crop>(nothing, c2f::train, truth);
  REQUIRE(sides(training.boxes[0]) == box_of{30, 40, 32, 43});
  REQUIRE(sides(training.boxes[1]) == box_of{5, 5, 7, 8});
  REQUIRE(sides(cut<crop>(nothing.narrow(0, 0, 1)).boxes[0]) == box_of{0, 0, 50, 60});
  REQUIRE(sides(cut<crop>(nothing.narrow(0, 0, 1), c2f::train, at::zeros({1, 50, 60}, at::TensorOptions(at::kLong))).boxes[0]) ==
          box_of{0, 0, 50, 60});
}

TEST_CASE("by_truth_until crops by the truth until t is reached, in training only") {
  using crop                  = c2f::fuse::crop<0, 0, 1, c2f::fuse::by_truth_until<0.5>>;
  at::Tensor const prediction = map_of({{5, 5, 6, 7}}), truth = map_of({{30, 40, 31, 42}}).select(1, 0).gt(0).to(at::kLong);
  REQUIRE(sides(cut<crop>(prediction, c2f::train, truth, 0.49).boxes[0]) == box_of{30, 40, 32, 43});
  REQUIRE(sides(cut<crop>(prediction, c2f::train, truth, 0.5).boxes[0]) == box_of{5, 5, 7, 8});
  REQUIRE(sides(cut<crop>(prediction, c2f::eval, {}, 0).boxes[0]) == box_of{5, 5, 7, 8});
}

TEST_CASE("jitter is a function of seed, epoch and id; half of the samples have it, from 0 to 40") {
  using crop           = c2f::fuse::crop<20, 40>;
  // One sample per call, so that no box is grown; the image is large enough for every margin.
  at::Tensor const map = map_of({{100, 100, 100, 100}}, 201, 201), truth = map.select(1, 0).gt(0).to(at::kLong);
  int plain = 0, least = 99, most = 0;
  bool other_epoch = false;
  for (std::int64_t id = 0; id < 400; ++id) {
    std::vector<std::int64_t> const ids{id};
    auto const box = sides(cut<crop>(map, c2f::train, truth, 1, 0, ids).boxes[0]);
    REQUIRE(box == sides(cut<crop>(map, c2f::train, truth, 1, 0, ids).boxes[0]));
    other_epoch = other_epoch || box != sides(cut<crop>(map, c2f::train, truth, 1, 1, ids).boxes[0]);
    c2f::random_stream draw(1, c2f::purpose::crop, 0, static_cast<std::uint64_t>(id));
    std::array<std::int64_t, 4> margin{20, 20, 20, 20};
    if (draw.uniform() <= 0.5)
      for (auto& side : margin) side = draw.below(41);
    REQUIRE(box == box_of{100 - margin[0], 100 - margin[2], 101 + margin[1], 101 + margin[3]});
    plain += margin == std::array<std::int64_t, 4>{20, 20, 20, 20};
    least = std::min<int>(least, static_cast<int>(margin[0]));
    most  = std::max<int>(most, static_cast<int>(margin[0]));
  }
  REQUIRE((plain > 155 && plain < 245));
  REQUIRE((least == 0 && most == 40 && other_epoch));
  REQUIRE(sides(cut<crop>(map).boxes[0]) == box_of{80, 80, 121, 121});
}

TEST_CASE("undo pastes the crop back, and the rest is background") {
  at::Tensor const map = map_of({{10, 20, 14, 29}, {0, 0, 20, 3}});
  crop_on<c2f::fuse::crop<3>> crop;
  c2f::pass p{.mode = c2f::eval, .conditioning = map};
  for (std::int64_t const classes : {1, 2, 4}) {
    at::Tensor const whole = c2f::detail::sample_numbers({2, classes, 50, 60}, 2).to(at::kFloat);
    auto const parts       = crop(whole.narrow(1, 0, 1).expand({2, 3, 50, 60}), {}, p);
    // The same part of an output that covers the image.
    std::vector<at::Tensor> each;
    for (std::int64_t i = 0; i < 2; ++i) {
      auto const& [rows, columns] = parts.boxes[static_cast<std::size_t>(i)];
      each.push_back(whole.narrow(0, i, 1).narrow(2, rows.from, rows.size).narrow(3, columns.from, columns.size));
    }
    at::Tensor const output = at::cat(each, 0).set_requires_grad(true);
    at::Tensor const back   = crop.undo(output, parts);
    REQUIRE(back.sizes() == whole.sizes());
    for (std::int64_t i = 0; i < 2; ++i) {
      auto const side = sides(parts.boxes[static_cast<std::size_t>(i)]);
      for (std::int64_t c = 0; c < classes; ++c)
        for (std::int64_t y = 0; y < 50; y += 3)
          for (std::int64_t x = 0; x < 60; ++x) {
            bool const inside  = y >= side[0] && x >= side[1] && y < side[2] && x < side[3];
            float const wanted = inside ? whole[i][c][y][x].item<float>() : classes > 1 && c == 0 ? 0.0f : -9'999'999.0f;
            REQUIRE(back[i][c][y][x].item<float>() == wanted);
          }
    }
    at::Tensor const probability = classes == 1 ? c2f::dense<1>::predict(back) : back.softmax(1);
    REQUIRE(probability[1][0][49][59].item<float>() == (classes == 1 ? 0.0f : 1.0f));
    back.sum().backward();
    REQUIRE(output.grad().eq(1).all().item<bool>());
  }
}

TEST_CASE("what a crop cannot cut is an error of one line") {
  at::Tensor const x = at::zeros({1, 3, 50, 60});
  auto const message = [&](auto const& crop, at::Tensor const& map) -> std::string {
    c2f::pass p{.mode = c2f::eval, .conditioning = map};
    try {
      crop(x, {}, p);
    } catch (c2f::input_error const& wrong) {
      return wrong.what();
    }
    return "";
  };
  REQUIRE(message(crop_on<c2f::fuse::crop<>>{}, at::zeros({1, 10}))
              .starts_with("c2f::fuse::crop needs a prediction of the image's size, 50 x 60"));
  REQUIRE(message(crop_on<c2f::fuse::crop<>>{}, at::zeros({1, 1, 25, 30}))
              .starts_with("c2f::fuse::crop needs a prediction of the image's size"));
  REQUIRE(message(crop_on<c2f::fuse::crop<0, 0, 16>>{}, at::zeros({1, 1, 50, 60})) ==
          "c2f::fuse::crop takes images whose sides are multiples of 16, found 50 x 60; pad or resize them");
}

namespace {
struct classes : c2f::part_of<c2f::dense<2>> {
  static constexpr char const* name = "classes";
};
}  // namespace

TEST_CASE("a crop accepts kinds that are maps of labels") {
  using crop = c2f::fuse::crop<>;
  REQUIRE(crop::serves<mask>);
  REQUIRE(crop::serves<c2f::dense<3, -1>>);
  REQUIRE_FALSE(crop::serves<c2f::class_vector<3>>);
  REQUIRE_FALSE(crop::serves<c2f::weighted_dense<3>>);
  REQUIRE_FALSE(crop::serves<c2f::depth_map<88>>);  // half a metre is no foreground
  REQUIRE_FALSE(crop::serves<c2f::bundle<classes>>);
}
