// What surprises in the data, or leaves a training without effect, is an error and no success.
#include <c2f/c2f.hpp>

#include <limits>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"

namespace {

/// Samples of which one may have another label, and some a pixel that is not a number.
template <class Kind, std::int64_t Side>
struct odd : tiny::samples<Kind, Side> {
  std::int64_t sample = -1, label = 0, every_nan = 0;
  [[nodiscard]] std::string name_of(std::int64_t id) const { return "picture " + std::to_string(id); }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, typename Kind::truth_value* truth) const {
    tiny::samples<Kind, Side>::read(id % 17 == 3 ? id + 1 : id, augment, pixels, truth);
    if (id == sample) *truth = label;
    if (every_nan > 0 && id % every_nan == 0) *pixels = std::numeric_limits<float>::quiet_NaN();
  }
};
template <class Kind>
struct odd_data {
  odd<Kind, 8> train{{35, 1}}, test{{9, 2}};
};
struct masks {
  static constexpr char const* name = "masks";
  using kind                        = c2f::dense<3>;
  using input                       = c2f::image<3, 8, 8>;
  using network                     = c2f::predicts<kind, c2f::conv<3, 3>>;
};
using classes = tiny::class_vector;

c2f::recipe::settings recipe() { return c2f::recipe::settings{}.epochs(2).batch(5).learning_rate(0.01).threads(1); }
template <class Task, class Data>
std::string refusal_of(Data const& data) {
  c2f::stack<Task> model(7);
  return tests::refusal([&] { c2f::fit(model, data, recipe()); });
}

}  // namespace

TEST_CASE("a label that the networks do not have is named, in the training and in the test split") {
  for (std::int64_t const label : {3, 64, -1, -101}) {
    odd_data<classes::kind> data;
    data.train.sample = 11, data.train.label = label;
    REQUIRE(refusal_of<classes>(data) == "sample 11 (picture 11) of tiny has the label " + std::to_string(label) +
                                             ", and there are 3, 0 to 2; correct it, or write the data's number of classes into the kind");
    odd_data<masks::kind> maps;
    maps.test.sample = 4, maps.test.label = label;
    REQUIRE(tests::has(refusal_of<masks>(maps), "sample 4 (picture 4) of tiny has the label " + std::to_string(label)));
  }
  // Those that are ignored are none.
  odd_data<classes::kind> data;
  data.train.sample = 11, data.train.label = -100;
  REQUIRE(refusal_of<classes>(data).empty());
  odd_data<masks::kind> maps;
  maps.train.sample = maps.test.sample = 4, maps.train.label = maps.test.label = 255;
  REQUIRE(refusal_of<masks>(maps).empty());
  maps.train.label = 3;
  REQUIRE(tests::has(refusal_of<masks>(maps), "has the label 3, and there are 3"));
}

TEST_CASE("splits without samples are refused before the first step") {
  odd_data<classes::kind> data;
  data.train.count = 0;
  REQUIRE(refusal_of<classes>(data) == "the split tiny, which is to be trained on, has no samples; add some");
  data.train.count = 35, data.test.count = 0;
  REQUIRE(refusal_of<classes>(data) == "the split tiny, which is to be scored, has no samples; add some");
}

TEST_CASE("a training of which most steps were skipped is no success, whatever their number") {
  auto const fit_with = [](std::int64_t every_nan, std::int64_t epochs) {
    odd_data<classes::kind> data;
    data.train.every_nan = every_nan;
    c2f::stack<classes> model(7);
    auto const before = tiny::tensors_of(model);
    auto const why    = tests::refusal<c2f::not_finite>([&] { c2f::fit(model, data, recipe().epochs(epochs).stop_after_skips(1000)); });
    return std::pair(why, tiny::same_bytes(before, tiny::tensors_of(model)));
  };
  auto const [all, unchanged] = fit_with(1, 1);  // seven steps, fewer than end a training
  REQUIRE(all ==
          "7 of 7 steps of the training were skipped, since their loss or a gradient was not finite; look at the images and the "
          "loss, or lower the learning rate");
  REQUIRE(unchanged);
  REQUIRE(tests::has(fit_with(2, 3).first, " of 21 steps of the training were skipped"));
  REQUIRE(fit_with(34, 2).first.empty());  // two samples, in at most four of 14 steps
}

TEST_CASE("a t that still rises after the first milestone is remarked, and one that does not is not") {
  struct late : classes {
    using schedule = c2f::schedule::ramp<0.5, 0.6, c2f::by::fraction>;
  };
  struct until_it : classes {  // 1 from the epoch on in which the learning rate falls
    using schedule = c2f::schedule::ramp<0.5, 4>;
  };
  struct alone : late {
    using refine = c2f::refine::no_fine_network;
  };
  struct given : late {
    using source = c2f::source::prediction;
  };
  struct wrong : late {
    using source = c2f::source::corrupt<0.2>;
  };
  odd_data<classes::kind> const data;
  auto const remarks = [&]<class Task>(c2f::stack<Task> model, c2f::recipe::settings const& with) {
    return c2f::fit(model, data, with).start.remarks;
  };
  // A milestone at 81/164 of 8 epochs is epoch 4; t is .5 + .5 * (4 / 8) / .6 there.
  auto const milestone = recipe().epochs(8).milestone(81.0 / 164);
  REQUIRE(
      remarks(c2f::stack<late>(1), milestone) ==
      std::vector<std::string>{"at the first milestone of the learning rate, epoch 4, t is 0.92 and still rises; what the fine network has "
                               "to learn without truths it then learns slowly, so let t reach 1 before the milestone"});
  REQUIRE(remarks(c2f::stack<until_it>(1), milestone).empty());
  REQUIRE(remarks(c2f::stack<alone>(1), milestone).empty());
  REQUIRE(remarks(c2f::stack<given>(1), milestone).empty());
  REQUIRE(remarks(c2f::stack<wrong>(1), milestone).empty());
  REQUIRE(remarks(c2f::stack<late>(1), recipe().epochs(8)).empty());
}
