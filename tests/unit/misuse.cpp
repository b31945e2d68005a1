// Tensors, modules and devices that do not fit: one sentence each, and no stack frames of LibTorch.
#include <c2f/c2f.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <filesystem>
#include <limits>
#include <new>
#include <stdexcept>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using tests::refusal, tests::require_message;
using classes = tiny::class_vector;
using boxes   = tiny::boxes;
struct masks {
  static constexpr char const* name = "masks";
  using input                       = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  using network                     = c2f::predicts<c2f::dense<3>, c2f::conv<3, 3>>;
};

/// Says that it returns three logits, and returns others.
template <std::int64_t Returned, bool Integers = false>
struct other_output {
  using kind = c2f::class_vector<3>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<3>;
    c2f::network_on<c2f::sequential<c2f::global_average_pool, c2f::linear<Returned>>, In> net;
    C2F_MEMBERS(net);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor found = net(x, m);
      return Integers ? found.to(at::kLong) : found;
    }
  };
};
template <class Network>
struct with_network {
  static constexpr char const* name = "own";
  using input                       = c2f::image<3, 8, 8>;
  using network                     = Network;
};
/// Multiplies what does not fit.
struct refused {
  using kind = c2f::class_vector<3>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<3>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.mm(x); }
  };
};
/// Asks for more memory than there are addresses.
struct too_large {
  using kind = c2f::class_vector<3>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<3>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.new_empty({std::int64_t{1} << 55}); }
  };
};
/// A model that forgets its loss.
struct forgetful {
  static constexpr char const* name = "forgetful";
  using input                       = classes::input;
  using kind                        = classes::kind;
  c2f::network_on<classes::network, input> net;
  C2F_MEMBERS(net);
  explicit forgetful(std::uint64_t seed) { c2f::initialize(*this, seed); }
  at::Tensor operator()(at::Tensor const& images, c2f::pass& p) const { return net(images, p.mode); }
};

at::Tensor images(std::int64_t n = 4, std::int64_t side = 8) { return at::randn({n, 3, side, side}); }
template <class Task>
std::string trained_on(at::Tensor const& x, at::Tensor const& truth, double t = 0.5) {
  c2f::stack<Task> const model(1);
  return refusal([&] {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = t};
    model(x, p);
    p.loss().backward();
  });
}

/// A split whose read throws at sample 3.
template <class Throw>
struct throwing : tiny::samples<classes::kind, 8> {
  Throw fails{};
  [[nodiscard]] std::string name_of(std::int64_t id) const { return "picture " + std::to_string(id); }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    if (id == 3) fails();
    tiny::samples<classes::kind, 8>::read(id % 17 == 3 ? id + 1 : id, augment, pixels, truth);
  }
};
template <class Throw>
struct throwing_data {
  throwing<Throw> train{{20, 1}}, test{{5, 2}};
};
struct of_decoder {
  void operator()() const { throw std::runtime_error("premature end of JPEG file"); }
};
struct of_text {
  void operator()() const { (void)std::stoi("seven"); }
};
struct of_libtorch {
  void operator()() const { (void)at::ones({2, 3}).mm(at::ones({2, 3})); }
};
struct of_memory {
  void operator()() const { throw std::bad_alloc(); }
};
struct of_memory_of_libtorch {  // more than there are addresses
  void operator()() const { (void)at::empty({std::int64_t{1} << 55}, at::TensorOptions(at::kFloat)); }
};
struct of_a_network_in_it {
  void operator()() const { c2f::stack<with_network<refused>>(1)(images(), c2f::eval); }
};
struct of_nothing_known {
  void operator()() const { throw 42; }
};

c2f::recipe::settings recipe() { return c2f::recipe::settings{}.epochs(1).batch(4).learning_rate(0.01).threads(1); }
template <class Throw>
c2f::training_report trained(bool strict = false) {
  c2f::stack<classes> model(7);
  return c2f::fit(model, throwing_data<Throw>{}, recipe().strict(strict));
}

}  // namespace

TEST_CASE("images that do not fit are refused in one sentence") {
  c2f::stack<classes> const model(1);
  auto const found = [&](at::Tensor const& x) { return refusal([&] { model(x, c2f::eval); }); };
  REQUIRE(found(images().to(at::kByte)) ==
          "task 'tiny-class-vector' takes images of floats, found [4, 3, 8, 8] of Byte on cpu; convert "
          "them, and scale them as in training");
  require_message(found(images().to(at::kLong)), {"takes images of floats", "Long"});
  require_message(found({}), {"takes images [N, 3, 8, 8], found no tensor"});
  require_message(found(at::randn({3, 8, 8})), {"found [3, 8, 8]"});
  require_message(found(at::randn({2, 1, 8, 8})), {"found [2, 1, 8, 8]"});
  require_message(found(images(2, 9)), {"found [2, 3, 9, 9]"});
  require_message(refusal([&] { c2f::stack<masks>(1)(at::randn({2, 4, 5, 7}), c2f::eval); }), {"[N, 3, any, any], found [2, 4, 5, 7]"});
  REQUIRE(found(images()).empty());
  REQUIRE(found(images(0)).empty());
  require_message(refusal<c2f::libtorch_error>([&] { model(images().to(at::kDouble), c2f::eval); }),
                  {"task 'tiny-class-vector', images [4, 3, 8, 8] of Double on cpu: LibTorch says"});
  c2f::predictor<classes> predict(model);
  require_message(refusal([&] { predict(images().to(at::kByte)); }), {"'tiny-class-vector' predicts from images", "Byte"});
  require_message(refusal([&] { predict({}); }), {"found none"});
}

TEST_CASE("a training pass without a truth, or with one that does not fit, is refused in one sentence") {
  at::Tensor const labels = at::zeros({4}, at::kLong);
  REQUIRE(trained_on<classes>(images(), labels).empty());
  REQUIRE(trained_on<classes>(images(), at::full({4}, -100, at::kLong)).empty());  // ignored
  REQUIRE(trained_on<classes>(images(), {}) ==
          "task 'tiny-class-vector' is trained without a truth; give the pass .truth = [N] of Long on cpu, for N images");
  require_message(trained_on<boxes>(images(4, 16), {}), {".truth = [N, 1, 5] of Float"});
  require_message(trained_on<masks>(images(), {}), {".truth = [N, any, any] of Long"});
  REQUIRE(trained_on<classes>(images(), at::zeros({3}, at::kLong)) ==
          "task 'tiny-class-vector' is trained on a truth [3] of Long on cpu for 4 images; it has to be [N] of Long on cpu, for N images");
  require_message(trained_on<classes>(images(), at::zeros({4, 1}, at::kLong)), {"truth [4, 1] of Long"});
  require_message(trained_on<classes>(images(), at::zeros({4}, at::kInt)), {"truth [4] of Int", "Long"});
  require_message(trained_on<classes>(images(), at::zeros({4})), {"truth [4] of Float", "Long"});
  require_message(trained_on<boxes>(images(4, 16), at::zeros({4, 1, 4})), {"truth [4, 1, 4] of Float", "[N, 1, 5]"});
  require_message(trained_on<boxes>(images(4, 16), at::zeros({4, 1, 5}, at::kLong)), {"of Long", "[N, 1, 5] of Float"});
  require_message(trained_on<masks>(images(), at::zeros({4, 1, 8, 8}, at::kLong)), {"truth [4, 1, 8, 8]"});
  require_message(trained_on<masks>(images(), at::zeros({4, 8, 8}, at::kByte)), {"of Byte"});
  require_message(trained_on<classes>(images(0), at::zeros({0}, at::kLong)), {"is trained on a batch without images"});
}

TEST_CASE("labels that no class has are refused in a pass, and so is a t that is no probability") {
  for (std::int64_t const label : {3, -1, 64, -101}) {
    at::Tensor labels                          = at::zeros({4}, at::kLong);
    labels.mutable_data_ptr<std::int64_t>()[2] = label;
    REQUIRE(trained_on<classes>(images(), labels) == "sample 2 of a batch for task 'tiny-class-vector' has the label " +
                                                         std::to_string(label) +
                                                         ", and there are 3, 0 to 2; correct it, or write the data's number of classes "
                                                         "into the kind");
    at::Tensor mask = at::full({4, 8, 8}, 255, at::kLong);  // ignored
    REQUIRE(trained_on<masks>(images(), mask).empty());
    mask.select(0, 3).fill_(label);
    require_message(trained_on<masks>(images(), mask.transpose(1, 2)), {"sample 3 of a batch", "has the label " + std::to_string(label)});
  }
  at::Tensor const labels = at::zeros({4}, at::kLong);
  for (double const t : {2.0, -0.1, std::numeric_limits<double>::quiet_NaN()})
    require_message(trained_on<classes>(images(), labels, t), {"is trained with t = ", "t is a probability, from 0 to 1"});
  for (double const t : {0.0, 1.0}) REQUIRE(trained_on<classes>(images(), labels, t).empty());
}

TEST_CASE("a network whose output is not what it declares is named with its stage") {
  at::Tensor const labels = at::zeros({4}, at::kLong);
  REQUIRE(trained_on<with_network<other_output<3>>>(images(), labels).empty());
  REQUIRE(
      trained_on<with_network<other_output<4>>>(images(), labels) ==
      "the coarse network of task 'own' returns [4, 4] of Float on cpu for [4, 3, 8, 8] of Float on cpu, and its 'output' says [N, 3] of "
      "floats; correct its last layer, or its 'output'");
  require_message(trained_on<with_network<other_output<3, true>>>(images(), labels), {"returns [4, 3] of Long"});
  require_message(trained_on<with_network<c2f::coarse_fine<other_output<3>, other_output<1>>>>(images(), labels),
                  {"the fine network of task 'own' returns [4, 1]"});
}

TEST_CASE("what LibTorch refuses is one sentence that says where, with LibTorch's error nested in it") {
  c2f::stack<with_network<refused>> model(1);
  bool nested = false;
  try {
    model(images(), c2f::eval);
  } catch (c2f::libtorch_error const& error) {
    require_message(error.what(), {"task 'own', images [4, 3, 8, 8] of Float on cpu: LibTorch says 'self must be a matrix'"});
    try {
      std::rethrow_if_nested(error);
    } catch (c10::Error const&) {
      nested = true;
    }
  }
  REQUIRE(nested);
  require_message(refusal<c2f::libtorch_error>([] { c2f::stack<with_network<too_large>>(1)(images(), c2f::eval); }),
                  {"task 'own'", "there is not enough memory", "choose a smaller batch"});
  throwing_data<of_decoder> const data;
  require_message(refusal<c2f::error>([&] { c2f::fit(model, data, recipe()); }),
                  {"task 'own', epoch 0, step 0 of the training, images [4, 3, 8, 8] of Float on cpu, truth [4] of Long", "LibTorch says"});
  require_message(refusal<c2f::error>([&] { (void)c2f::evaluate(model, data.test, recipe()); }), {"task 'own'", "LibTorch says"});
  forgetful no_loss(1);
  require_message(refusal<c2f::error>([&] { c2f::fit(no_loss, data, recipe()); }), {"this pass has no loss"});
  c2f::pass p;
  require_message(refusal<c2f::error>([&] { p.add("mine", at::ones({4})); }), {"the loss 'mine' is [4]; a loss is a scalar"});
  require_message(refusal<c2f::error>([&] { p.add("mine", {}); }), {"the loss 'mine' is no tensor"});
}

TEST_CASE("any exception of a split's read is a sample that cannot be read") {
  auto const reason_of = [](c2f::training_report const& report) {
    REQUIRE(report.faulty.samples == 2);  // of both splits
    REQUIRE(report.faulty.replaced == 2);
    return report.faulty.reasons.front();
  };
  REQUIRE(reason_of(trained<of_decoder>()) == "sample 3 (picture 3) of tiny cannot be read: premature end of JPEG file");
  require_message(reason_of(trained<of_text>()), {"sample 3 (picture 3) of tiny cannot be read: ", "stoi"});
  require_message(reason_of(trained<of_libtorch>()), {"sample 3 (picture 3) of tiny cannot be read: ", "2x3 and 2x3"});
  REQUIRE(refusal([] { trained<of_decoder>(true); }) == "sample 3 (picture 3) of tiny cannot be read: premature end of JPEG file");
  require_message(refusal<c2f::error>([] { trained<of_memory>(); }), {"sample 3 (picture 3) of tiny", "not enough memory"});
  require_message(refusal<c2f::error>([] { trained<of_memory_of_libtorch>(); }), {"sample 3 (picture 3) of tiny", "not enough memory"});
  require_message(reason_of(trained<of_a_network_in_it>()), {"sample 3 (picture 3) of tiny cannot be read: task 'own'"});
  require_message(refusal<c2f::error>([] { trained<of_nothing_known>(); }), {"sample 3 (picture 3) of tiny", "no std::exception"});
}

TEST_CASE("labels of a split in device memory are checked when it is moved there") {
  c2f::data::picture_format const format{
      .record_bytes = 3073, .label_at = 0, .pixels_at = 1, .mean = {0, 0, 0}, .deviation = {1, 1, 1}, .pad = 4, .flip = true};
  std::vector<std::uint8_t> bytes(3 * 3073);
  c2f::detail::truth_labels const two{.count = 2};
  auto const found = [&](c2f::detail::truth_labels labels) {
    return refusal([&] { c2f::data::detail::check_labels(c2f::data::pictures<2>("small", bytes, format, {}), labels); });
  };
  bytes[2 * 3073] = 1;
  REQUIRE(found(two).empty());
  bytes[2 * 3073] = 2;
  REQUIRE(found(two) ==
          "sample 2 of small has the label 2, and there are 2, 0 to 1; correct it, or write the data's number of classes into "
          "the kind");
  REQUIRE(found({.count = 2, .ignore = 2}).empty());
  REQUIRE(found({}).empty());
}

TEST_CASE("a score that does not exist is refused before the first step") {
  tests::scratch const folder;
  tiny::dataset<classes::kind, 8> const data{{20, 1}, {5, 2}};
  std::int64_t steps = 0;
  struct counter {
    std::int64_t* steps;
    void on_step(c2f::step_record const&) { ++*steps; }
  };
  auto const found = [&](c2f::checkpoint_options options, c2f::recipe::settings const& with) {
    c2f::stack<classes> model(1);
    c2f::checkpoints kept(folder.path / "kept", std::move(options));
    return refusal([&] { c2f::fit(model, data, with, kept, counter{&steps}); });
  };
  REQUIRE(
      found({.best = 1, .score = "fine iou"}, recipe()) ==
      "no score is called 'fine iou', by which the best checkpoints are chosen; write one of 'coarse top1', 'coarse top5', 'fine top1', "
      "'fine top5'");
  require_message(found({}, recipe().decay(c2f::decay::plateau{.score = "top1"})), {"'top1', by which the learning rate is reduced"});
  REQUIRE(steps == 0);
  REQUIRE_FALSE(std::filesystem::exists(folder.path / "kept"));
  REQUIRE(found({.best = 1, .score = "fine top1"}, recipe().decay(c2f::decay::plateau{.score = "coarse top5"})).empty());
  REQUIRE(steps == 5);
  require_message(refusal([] { c2f::checkpoints("x", {.score = "fine top1"}); }), {"has no effect"});
}

TEST_CASE("a device that is not there is refused where it is named") {
  at::Device const none  = c10::impl::hasDeviceGuardImpl(at::kCUDA) ? at::Device(at::kCUDA, 99) : at::Device(at::kCUDA);
  std::string const says = "there is no device '" + none.str() + "' here: ";
  c2f::stack<classes> model(1);
  require_message(refusal([&] { c2f::move_to(model, none); }), {says});
  require_message(refusal([&] { recipe().device(none); }), {says});
  require_message(refusal([&] { c2f::predictor<classes>(model, {.on = {.device = none}}); }), {says});
  REQUIRE(refusal([&] { c2f::move_to(model, at::kCPU); }).empty());
}
