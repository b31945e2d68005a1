// Low-shot accuracies against values computed by hand, and against the plain definition.
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>

#include <c2f/core/random.hpp>
#include <c2f/metrics/low_shot.hpp>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using c2f::metrics::low_shot;
using c2f::metrics::top_accuracy;
using tests::refusal;
using tests::require_message;
using numbers = std::vector<std::int64_t>;

at::Tensor rows(std::vector<std::vector<double>> const& values) {
  std::vector<at::Tensor> made;
  for (auto const& row : values) made.push_back(at::tensor(row, at::kDouble).unsqueeze(0));
  return at::cat(made);
}
at::Tensor labels(numbers const& values) { return at::tensor(values, at::kLong); }

void require(top_accuracy const& found, double top1, double top5, std::int64_t count) {
  CAPTURE(found.top1, found.top5, found.count);
  REQUIRE(std::abs(found.top1 - top1) < 1e-12);
  REQUIRE(std::abs(found.top5 - top5) < 1e-12);
  REQUIRE(found.count == count);
}

}  // namespace

TEST_CASE("low-shot accuracies by hand") {
  // Base 0 and 1, novel 2 and 3; class 4 is in neither group and always has the best score; the last image is of class 4.
  //                 base    novel
  low_shot score({0, 1}, {2, 3});
  score.add(rows({{3, 0, 2, 1, 9},    // of 2: best of novel, second of all
                  {3, 0, 1, 2, 9},    // of 2: second of novel
                  {5, 1, 0, 4, 9},    // of 0: best of base and of all
                  {0, 5, 4, 1, 9},    // of 0: second of base
                  {0, 0, 0, 0, 9}}),  // of 4
            labels({2, 2, 0, 0, 4}));
  require(score.novel(), .5, 1, 2);
  require(score.base(), .5, 1, 2);
  require(score.all(), .25, 1, 4);
  // With the prior, by the logistic function s(d) = 1 / (1 + exp(-d)) of the difference within a group:
  //   image 1: .8 s(1) = .585 for 2; .2 s(3) = .191 for 0, .8 s(-1) = .215 for 3: correct
  //   image 2: .8 s(-1) = .215 for 2; .8 s(1) = .585 for 3: wrong
  //   image 3: .2 s(4) = .196 for 0; .8 s(4) = .786 for 3: wrong
  //   image 4: .2 s(-5) for 0: wrong
  require(score.all_with_prior(), .25, 1, 4);
  // With a prior of .2 image 3 is correct (.786 against .196) and image 1 wrong (.8 s(3) = .762 against .2 s(1) = .146).
  low_shot other({0, 1}, {2, 3}, .2);
  other.add(rows({{3, 0, 2, 1}, {3, 0, 1, 2}, {5, 1, 0, 4}, {0, 5, 4, 1}}), labels({2, 2, 0, 0}));
  require(other.all_with_prior(), .25, 1, 4);
  require(other.all(), .25, 1, 4);
  low_shot third({0, 1}, {2, 3}, .2), first({0, 1}, {2, 3});
  third.add(rows({{5, 1, 0, 4}}), labels({0}));
  first.add(rows({{3, 0, 2, 1}}), labels({2}));
  require(third.all_with_prior(), 1, 1, 1);
  require(first.all_with_prior(), 1, 1, 1);
}

TEST_CASE("low-shot top 5 counts five classes") {
  // Base 0 ... 6 with falling scores, novel 7 ... 13 with falling scores that are all higher by 100.
  std::vector<double> row;
  for (int k = 0; k < 14; ++k) row.push_back((k < 7 ? 0. : 100.) - k);
  numbers const base{0, 1, 2, 3, 4, 5, 6}, novel{7, 8, 9, 10, 11, 12, 13};
  low_shot score(base, novel);
  std::vector<std::vector<double>> const scores(14, row);
  numbers all = base;
  all.insert(all.end(), novel.begin(), novel.end());
  score.add(rows(scores), labels(all));
  require(score.base(), 1. / 7, 5. / 7, 7);
  require(score.novel(), 1. / 7, 5. / 7, 7);
  require(score.all(), 1. / 14, 5. / 14, 14);
  // Softmax within a group is (.632, .233, .086, .031, .0116, ...) in both: times .8 for novel and .2 for base. In order: .506 (7), .186
  // (8), .126 (0), .068 (9), .047 (1), ...: five are correct.
  require(score.all_with_prior(), 1. / 14, 5. / 14, 14);
  low_shot fifth(base, novel);
  fifth.add(rows({row, row}), labels({1, 10}));  // 10 has .8 * .031 = .025 and is sixth
  require(fifth.all_with_prior(), 0, .5, 2);
  // Ties go to the lower class.
  low_shot equal({0, 1, 2, 3, 4, 5}, {6});
  equal.add(at::zeros({6, 7}), labels({0, 1, 2, 3, 4, 5}));
  require(equal.base(), 1. / 6, 5. / 6, 6);
}

TEST_CASE("low-shot accuracies against the plain definition") {
  constexpr std::int64_t n = 300, columns = 40;
  numbers base, novel;
  for (std::int64_t k = 0; k < columns; ++k) {
    if (k % 3 == 0) base.push_back(k);
    if (k % 3 == 1) novel.push_back(k);
  }
  c2f::random_stream draw{3, c2f::purpose::synthesis, 0, 0};
  std::vector<double> values(n * columns);
  numbers truths;
  for (double& v : values) v = 2 * draw.normal();
  for (std::int64_t i = 0; i < n; ++i) {
    truths.push_back(draw.below(columns));
    values[static_cast<std::size_t>(i * columns + truths.back())] += 2;
  }
  at::Tensor const scores = at::tensor(values, at::kDouble).view({n, columns});
  low_shot found(base, novel, .7);
  found.add(scores.slice(0, 0, 100), labels({truths.begin(), truths.begin() + 100}));
  found.add(scores.slice(0, 100, n).to(at::kDouble), labels({truths.begin() + 100, truths.end()}));

  // The definition: topk over the columns of the candidate classes.
  auto const expected = [&](numbers const& images_of, numbers const& among, bool prior) {
    at::Tensor s = scores.clone();
    if (prior)
      for (auto const& [group, weight] : {std::pair(base, .3), std::pair(novel, .7)}) {
        at::Tensor const columns_of = labels(group);
        s.index_copy_(1, columns_of, at::softmax(scores.index_select(1, columns_of), 1).mul(weight));
      }
    at::Tensor const candidates = s.index_select(1, labels(among));
    at::Tensor const best       = std::get<1>(at::topk(candidates, 5, 1));
    std::set<std::int64_t> const of(images_of.begin(), images_of.end());
    double top1 = 0, top5 = 0;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      auto const truth = truths[static_cast<std::size_t>(i)];
      if (!of.contains(truth)) continue;
      ++count;
      for (std::int64_t place = 0; place < 5; ++place) {
        bool const right = among[static_cast<std::size_t>(best[i][place].item<std::int64_t>())] == truth;
        top1 += right && place == 0;
        top5 += right;
      }
    }
    return top_accuracy{top1 / static_cast<double>(count), top5 / static_cast<double>(count), count};
  };
  numbers both = base;
  both.insert(both.end(), novel.begin(), novel.end());
  auto const same = [](top_accuracy const& a, top_accuracy const& b) { require(a, b.top1, b.top5, b.count); };
  same(found.novel(), expected(novel, novel, false));
  same(found.base(), expected(base, base, false));
  same(found.all(), expected(both, both, false));
  same(found.all_with_prior(), expected(both, both, true));
  REQUIRE(found.all().count < n);
  REQUIRE(found.all().top5 > found.all().top1);
}

TEST_CASE("low-shot accuracies refuse undefined cases") {
  require_message(refusal([] { low_shot({0, 1}, {1, 2}); }), {"2 base and 2 novel classes, 3 different"});
  require_message(refusal([] { low_shot({}, {1, 2}); }), {"0 base"});
  require_message(refusal([] { low_shot({-1}, {1}); }), {"from 0 on"});
  require_message(refusal([] { low_shot({0}, {1}, 1.5); }), {"prior", "1.5"});
  require_message(refusal([] { low_shot({0}, {1}, std::numeric_limits<double>::quiet_NaN()); }), {"prior"});
  low_shot score({0}, {3});
  require(score.all(), 0, 0, 0);
  require_message(refusal([&] { score.add(at::zeros({2, 3}), labels({0, 3})); }), {"K above 3", "[2, 3]", "[2]"});
  require_message(refusal([&] { score.add(at::zeros({2, 4}), labels({0})); }), {"[2, 4]", "[1]"});
  require_message(refusal([&] { score.add(at::zeros({4}), labels({0})); }), {"[4]"});
  require_message(refusal([&] { score.add(at::log(at::zeros({1, 4})), labels({0})); }), {"not finite"});
  require(score.all(), 0, 0, 0);
}
