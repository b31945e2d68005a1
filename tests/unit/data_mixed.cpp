// Mixup, cutmix, label smoothing and class weights: truths that say how much each class counts, and the losses of such truths.
#include <c2f/c2f.hpp>
#include <c2f/data/mixed.hpp>
#include <c2f/kinds/multi_label.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <map>
#include <new>
#include <stdexcept>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using c2f::data::mixed;

constexpr std::int64_t side = 8;
/// Constant pictures: sample i has the value i in every channel, and class i % 3. Sample 5 is faulty. Augmentation adds nothing but draws.
template <class Truth>
struct constant {
  using image                      = c2f::image<3, side, side>;
  using truth_value                = std::conditional_t<std::same_as<Truth, c2f::multi_label<2>>, float, std::int64_t>;
  static constexpr auto truth_dims = Truth::template truth_dims<image>;
  std::int64_t count               = 12;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "constant"; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return id % 4 == 3 ? 0 : id % 3; }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, truth_value* truth) const {
    if (id == 5) throw c2f::input_error("sample 5 is damaged");
    if (augment != nullptr) (void)augment->uniform();
    std::fill_n(pixels, 3 * side * side, static_cast<float>(id));
    if constexpr (truth_dims.size() == 0)
      *truth = label(id);
    else if constexpr (truth_dims.size() == 1)
      truth[0] = id % 2 == 0, truth[1] = id % 4 == 3 ? c2f::unknown : static_cast<float>(id >= 6);
    else
      std::fill_n(truth, side * side, id % 3);
  }
};
using classes = constant<c2f::class_vector<3>>;
using masks   = constant<c2f::dense<3>>;
using yes_no  = constant<c2f::multi_label<2>>;

/// Sample 5 throws what a decoder of others throws, or memory that is exhausted.
struct of_others : classes {
  bool memory = false;
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, truth_value* truth) const {
    if (id == 5 && memory) throw std::bad_alloc();
    if (id == 5) throw std::runtime_error("bad marker");
    classes::read(id, augment, pixels, truth);
  }
};

c2f::random_stream stream(std::uint64_t id) { return {7, c2f::purpose::augment, 3, id}; }
struct tiny {
  static constexpr char const* name = "tiny";
  using input                       = c2f::image<3, side, side>;
  using network =
      c2f::predicts<c2f::class_vector<3>, c2f::conv<8, 3>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<3>>;
  using schedule = c2f::schedule::ramp<0, 2.0 / 3, c2f::by::fraction, 1.0 / 3>;
};

}  // namespace

TEST_CASE("The loss of truths that say how much each class counts", "[mixed]") {
  at::Tensor const raw = at::randn({6, 4}), label = at::tensor({0, 3, 1, 1, 2, 0}, at::kLong), hard = at::one_hot(label, 4).to(at::kFloat);
  using loss         = c2f::loss::cross_entropy;
  double const plain = loss::of(raw, label).item<double>();
  REQUIRE(std::abs(loss::of(raw, hard).item<double>() - plain) < 1e-6);
  // A distribution: PyTorch's cross_entropy with probabilities.
  at::Tensor const soft = at::randn({6, 4}).softmax(1);
  REQUIRE(std::abs(loss::of(raw, soft).item<double>() - at::cross_entropy_loss(raw, soft).item<double>()) < 1e-6);
  // Rows with another sum count as often as it says; rows of zeros do not.
  at::Tensor const weights = at::tensor({0.5f, 2.f, 1.f, 3.f});
  at::Tensor const weighed = hard.mul(weights);
  REQUIRE(std::abs(loss::of(raw, weighed).item<double>() - at::cross_entropy_loss(raw, label, weights).item<double>()) < 1e-6);
  at::Tensor some = hard.clone();
  some[2].zero_();
  at::Tensor ignored = label.clone();
  ignored[2]         = -100;
  REQUIRE(std::abs(loss::of(raw, some).item<double>() - loss::of(raw, ignored).item<double>()) < 1e-6);
  REQUIRE(loss::of(raw, at::zeros({6, 4})).item<double>() == 0);
  // Label smoothing in the truth or in the loss.
  at::Tensor const smooth = hard.mul(.9).add(.1 / 4);
  REQUIRE(std::abs(loss::of(raw, smooth).item<double>() - at::cross_entropy_loss(raw, label, {}, 1, -100, .1).item<double>()) < 1e-6);
  REQUIRE(std::abs(c2f::loss::cross_entropy_with<0.1>::of(raw, hard).item<double>() - loss::of(raw, smooth).item<double>()) < 1e-6);
}

TEST_CASE("Truths of both forms are shown, scored and corrupted alike", "[mixed]") {
  using kind             = c2f::class_vector<4>;
  at::Tensor const label = at::tensor({0, 3, -100}, at::kLong);
  at::Tensor rows        = at::zeros({3, 4});
  rows[0][0] = 2, rows[1][3] = .7, rows[1][1] = .3;
  REQUIRE(at::allclose(kind::from_truth(rows)[0], at::tensor({1.f, 0.f, 0.f, 0.f})));
  REQUIRE(at::allclose(kind::from_truth(rows)[1], rows[1]));
  REQUIRE(kind::from_truth(rows)[2].equal(at::zeros({4})));
  REQUIRE(kind::class_of(rows).equal(label));
  at::Tensor const raw = at::randn({3, 4});
  kind::score a, b;
  a.add(raw, label), b.add(raw, rows);
  REQUIRE(a.values() == b.values());
  REQUIRE(kind::correct(raw, rows).second.equal(label.ge(0)));
  c2f::pass const p{.seed = 3};
  REQUIRE(kind::corrupt(rows.narrow(0, 0, 2), 1, p).equal(kind::from_truth(kind::corrupt(label.narrow(0, 0, 2), 1, p))));
}

TEST_CASE("Mixup: pictures and truths with the same share", "[mixed]") {
  auto const split = mixed<3>(classes{}, {.mixup = .4});
  static_assert(c2f::data::split<std::remove_const_t<decltype(split)>>);
  std::vector<float> pixels(3 * side * side), again(pixels.size()), truth(3), truth_again(3);
  int mixed_ones = 0;
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    auto const id           = static_cast<std::int64_t>(i % 5);
    c2f::random_stream draw = stream(i), same = draw;
    split.read(id, &draw, pixels.data(), truth.data());
    split.read(id, &same, again.data(), truth_again.data());
    REQUIRE(pixels == again);
    REQUIRE(truth == truth_again);
    float total = 0;
    for (float const each : truth) {
      REQUIRE(each >= 0);
      total += each;
    }
    REQUIRE(std::abs(total - 1) < 1e-5f);
    REQUIRE(std::all_of(pixels.begin(), pixels.end(), [&](float each) { return each == pixels[0]; }));
    // The value is l id + (1 - l) partner; if the partner is of another class, its share is in the truth, and the partner is a whole number.
    auto const own = static_cast<double>(truth[static_cast<std::size_t>(classes{}.label(id))]);
    if (own > .999) continue;
    double const partner = (static_cast<double>(pixels[0]) - own * static_cast<double>(id)) / (1 - own);
    if (1 - own > .02) REQUIRE(std::abs(partner - std::round(partner)) < 1e-3);
    ++mixed_ones;
  }
  REQUIRE(mixed_ones > 1200);
  // Beta(.4, .4): mean 1/2, variance 1 / (4 (2 * .4 + 1)).
  c2f::random_stream draw = stream(1);
  for (int i = 0; i < 20000; ++i) {
    double const each = c2f::data::detail::beta(draw, .4);
    REQUIRE((each >= 0 && each <= 1));
    sum += each, squares += each * each;
  }
  REQUIRE(std::abs(sum / 20000 - .5) < .01);
  REQUIRE(std::abs(squares / 20000 - sum * sum / 4e8 - 1 / (4 * 1.8)) < .005);
}

TEST_CASE("Cutmix: the share of the truth is the share of the pixels", "[mixed]") {
  auto const split = mixed<3>(classes{}, {.cutmix = 1});
  std::vector<float> pixels(3 * side * side), truth(3);
  int cut = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    auto const id           = static_cast<std::int64_t>(i % 5);
    c2f::random_stream draw = stream(i);
    split.read(id, &draw, pixels.data(), truth.data());
    std::map<float, int> counts;
    for (float const each : pixels) ++counts[each];
    REQUIRE(counts.size() <= 2);
    std::vector<double> shares(3);
    for (auto const& [value, count] : counts)
      shares[static_cast<std::size_t>(classes{}.label(static_cast<std::int64_t>(value)))] += count / (3. * side * side);
    for (std::size_t k = 0; k < 3; ++k) REQUIRE(std::abs(static_cast<double>(truth[k]) - shares[k]) < 1e-5);
    cut += counts.size() == 2;
  }
  REQUIRE(cut > 300);

  auto const labelled = mixed(masks{}, {.cutmix = 1});
  std::vector<std::int64_t> labels(side * side);
  for (std::uint64_t i = 0; i < 100; ++i) {
    c2f::random_stream draw = stream(i);
    labelled.read(4, &draw, pixels.data(), labels.data());
    for (std::size_t k = 0; k < labels.size(); ++k) REQUIRE(labels[k] == static_cast<std::int64_t>(pixels[3 * k]) % 3);
  }
}

TEST_CASE("Attributes are mixed as pictures are; what is unknown in one is unknown in both", "[mixed]") {
  auto const split = mixed(yes_no{}, {.mixup = 1});
  std::vector<float> pixels(3 * side * side), truth(2);
  bool unknown = false, between = false;
  for (std::uint64_t i = 0; i < 200; ++i) {
    c2f::random_stream draw = stream(i);
    split.read(0, &draw, pixels.data(), truth.data());
    unknown = unknown || std::isnan(truth[1]);
    between = between || (truth[0] > .1f && truth[0] < .9f);
    // Sample 0 is (1, 0); only partners from 6 on have a yes, so the second is their share, pixels / partner.
    if (!std::isnan(truth[1]) && truth[1] > .05f) {
      float const partner = pixels[0] / truth[1];
      REQUIRE(std::abs(partner - std::round(partner)) < 1e-3f);
    }
  }
  REQUIRE((unknown && between));
}

TEST_CASE("Evaluations, faulty partners, weights and smoothing", "[mixed]") {
  auto const split = mixed<4>(classes{}, {.mixup = 1, .smoothing = .3, .classes = 3, .weights = {1, 2, 4}});
  std::vector<float> pixels(3 * side * side), truth(4);
  split.read(1, nullptr, pixels.data(), truth.data());
  REQUIRE(truth == std::vector<float>{0, 1, 0, 0});
  REQUIRE(pixels[0] == 1);
  tests::require_message(tests::refusal([&] { split.read(5, nullptr, pixels.data(), truth.data()); }), {"sample 5 is damaged"});
  int alone = 0;
  for (std::uint64_t i = 0; i < 600; ++i) {
    c2f::random_stream draw = stream(i);
    split.read(1, &draw, pixels.data(), truth.data());  // a partner of 5 leaves the sample as it is
    REQUIRE(truth[3] == 0);
    alone += pixels[0] == 1;
  }
  REQUIRE(alone >= 600 / 12);  // sample 1 itself, or 5
  REQUIRE(alone < 600 / 4);
  bool exhausted = false;
  for (std::uint64_t i = 0; i < 100; ++i) {
    c2f::random_stream same = stream(i), draw = stream(i);
    std::vector<float> wanted(pixels.size());
    split.read(1, &same, wanted.data(), truth.data());
    mixed<4>(of_others{}, {.mixup = 1, .smoothing = .3, .classes = 3, .weights = {1, 2, 4}}).read(1, &draw, pixels.data(), truth.data());
    REQUIRE(pixels == wanted);
    try {
      mixed<4>(of_others{{}, true}, {.mixup = 1}).read(1, &draw, pixels.data(), truth.data());
    } catch (std::bad_alloc const&) {
      exhausted = true;
    }
  }
  REQUIRE(exhausted);
  auto const still        = mixed<4>(classes{}, {.smoothing = .3, .classes = 3, .weights = {1, 2, 4}});
  c2f::random_stream draw = stream(1);
  still.read(1, &draw, pixels.data(), truth.data());
  for (auto const& [k, wanted] : {std::pair{0, .2f}, {1, 1.6f}, {2, .2f}, {3, 0.f}})
    REQUIRE(std::abs(truth[static_cast<std::size_t>(k)] - wanted) < 1e-6f);
  // 12 samples: classes 0 1 2 0 1 2 0 0 2 0 1 0 -> 6 3 3.
  REQUIRE(c2f::data::balanced_weights(classes{}, 4) == std::vector<double>{12 / (3 * 6.), 12 / (3 * 3.), 12 / (3 * 3.), 0});

  auto const refuse = [](auto const& call, std::string const& part) { tests::require_message(tests::refusal(call), {part}); };
  refuse([] { (void)mixed<3>(classes{}, {.mixup = -1}); }, "out of range");
  refuse([] { (void)mixed<3>(classes{}, {.smoothing = 1.5}); }, "out of range");
  refuse([] { (void)mixed<3>(classes{}, {.weights = {1, 1, 1, 1}}); }, "4 class weights");
  refuse([] { (void)mixed<3>(classes{}, {.weights = {1, -1, 1}}); }, "3 class weights");
  refuse([] { (void)mixed(masks{}, {.mixup = 1}); }, "which mixup cannot mix");
  refuse([] { (void)mixed(yes_no{}, {.smoothing = .1}); }, "no label smoothing");
}

TEST_CASE("A stack trains on weighed truths, and one-hot rows are labels", "[mixed]") {
  at::Tensor const x = at::randn({6, 3, side, side}), label = at::tensor({0, 2, 1, 1, 2, 0}, at::kLong);
  auto const train = [&](at::Tensor const& truth, double t) {
    c2f::stack<tiny> model(2);
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = t, .seed = 1, .epoch = 4};
    model(x, p);
    return p.loss().item<double>();
  };
  for (double const t : {0., .5, 1.}) REQUIRE(std::abs(train(label, t) - train(at::one_hot(label, 3).to(at::kFloat), t)) < 1e-5);
  c2f::stack<tiny> model(2);
  c2f::pass wrong{.mode = c2f::train, .truth = at::zeros({6, 4})};
  tests::require_message(tests::refusal([&] { model(x, wrong); }), {"[6, 4]", "[N, 3]"});

  struct {
    decltype(mixed<3>(classes{}, {})) train;
    classes test;
  } const data{mixed<3>(classes{}, {.mixup = .4, .cutmix = 1, .smoothing = .1}), {5}};
  auto const report = c2f::fit(model, data, c2f::recipe::settings{}.epochs(3).batch(4).learning_rate(.01).threads(0));
  REQUIRE(report.epochs.size() == 3);
  REQUIRE(std::isfinite(report.epochs.back().losses[0].second));
}
