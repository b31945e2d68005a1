// The predictor against its stack, and folded convolutions against their norms.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/inference/predictor.hpp>
#include <c2f/systems/rstn.hpp>

#include <ATen/ops/allclose.h>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "reliability/tiny.hpp"

namespace {

struct cifar {
  static constexpr char const* name = "cifar";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<20, c2f::class_vector<10>>;
};
struct wide : cifar {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::resnet<50, c2f::class_vector<10>>;
};

/// A norm after a convolution whose output another operation reads, too.
struct read_twice {
  template <c2f::shape In>
  struct on {
    using output = c2f::with_channels<In, 8>;
    c2f::network_on<c2f::conv<8, 3>, In> conv;
    c2f::network_on<c2f::batch_norm, output> norm;
    C2F_MEMBERS(conv, norm);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const y = conv(x, m);
      return norm(y, m).add(y);
    }
  };
};
/// An output that is changed in place before the norm reads it, and a norm without a convolution.
struct changed {
  template <c2f::shape In>
  struct on {
    using output = c2f::with_channels<In, 8>;
    c2f::network_on<c2f::batch_norm, In> first;
    c2f::network_on<c2f::conv<8, 3>, In> conv;
    c2f::network_on<c2f::batch_norm, output> norm;
    C2F_MEMBERS(first, conv, norm);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return norm(conv(first(x, m), m).relu_(), m); }
  };
};
/// One convolution for two norms, one norm for two convolutions.
struct twice {
  template <c2f::shape In>
  struct on {
    using output = c2f::with_channels<In, 8>;
    c2f::network_on<c2f::conv<8, 3>, In> conv;
    c2f::network_on<c2f::batch_norm, output> norm;
    C2F_MEMBERS(conv, norm);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return norm(conv(x, m), m).add(norm(conv(x.neg(), m), m)); }
  };
};
template <class Layer>
struct with : cifar {
  using network = c2f::predicts<c2f::class_vector<10>, Layer, c2f::global_average_pool, c2f::linear<10>>;
};
/// A convolution that has a bias.
using biased = c2f::sequential<c2f::conv<8, 3, 1, 1, c2f::bias_from<c2f::initial::ones>>, c2f::batch_norm, c2f::relu>;

/// A stack whose norms are not the identity.
template <class Task>
c2f::stack<Task> model_of() {
  c2f::stack<Task> model(3);
  c2f::random_stream random(5, c2f::purpose::synthesis, 0, 0);
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (each.tensor().dim() != 1 || each.tensor().scalar_type() != at::kFloat) return;
    bool const variance = path.ends_with("running_var");
    at::NoGradGuard const no_gradients;
    for (std::int64_t i = 0; i < traits.dims[0]; ++i)
      each.tensor().select(0, i).fill_(variance ? 0.5 + random.uniform()
                                                : each.tensor().select(0, i).template item<float>() + 0.3 * random.normal());
  });
  return model;
}
template <class Task>
at::Tensor images(std::int64_t n) {
  return c2f::detail::sample_numbers({n, 3, Task::input::height == c2f::dynamic ? 16 : Task::input::height,
                                      Task::input::width == c2f::dynamic ? 16 : Task::input::width},
                                     7)
      .to(at::kFloat);
}
bool close(at::Tensor const& a, at::Tensor const& b, double tolerance) {
  return a.sizes() == b.sizes() && a.sub(b.to(at::kCPU)).abs().max().item<double>() <= tolerance * a.abs().max().item<double>();
}

template <class Task>
void same(std::int64_t norms) {
  at::NoGradGuard const no_gradients;
  auto const model = model_of<Task>();
  auto const x     = images<Task>(3);
  auto const both  = model(x, c2f::eval);
  c2f::predictor<Task> folded(model, {.on = {tests::device()}}), plain(model, {.on = {tests::device()}, .fold = false});
  REQUIRE(folded.folded() == norms);
  REQUIRE(plain.folded() == 0);
  REQUIRE(close(both.coarse, folded(x).coarse, 1e-4));
  REQUIRE(close(both.fine, folded(x).fine, 1e-4));
  REQUIRE(close(both.answer, plain(x).answer, 1e-5));
  REQUIRE(!folded(x).fine.requires_grad());
}

}  // namespace

TEST_CASE("a folded network gives the predictions of the network") {
  C2F_NEEDS_DEVICE();
  same<cifar>(2 * 21);  // 19 convolutions and the 2 of the shortcuts, twice
  same<wide>(2 * 53);
  same<with<biased>>(2);
}

namespace {
int calls = 0, with_shortcut = 0, with_relu = 0;
at::Tensor counted(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu) {
  ++calls;
  with_shortcut += shortcut.defined();
  with_relu += relu;
  return c2f::cuda::fused.bias_relu(x, bias, shortcut, relu);
}
}  // namespace

TEST_CASE("the shift of a folded norm, residual add and ReLU are one fused operation") {
  C2F_NEEDS_DEVICE();
  at::NoGradGuard const no_gradients;
  c2f::fused_operations const table{.bias_relu = &counted};
  auto const model = model_of<cifar>();
  auto const x     = images<cifar>(3);
  auto const both  = model(x, c2f::eval);
  for (bool const bf16 : {false, true}) {
    c2f::predictor<cifar> predict(model, {.on = {tests::device(), &table}, .bf16 = bf16});
    REQUIRE(predict.folded() == 2 * 21);
    calls = with_shortcut = with_relu = 0;
    auto const found                  = predict(x);
    REQUIRE(close(both.coarse, found.coarse.to(at::kFloat), bf16 ? 0.1 : 1e-4));
    REQUIRE(close(both.fine, found.fine.to(at::kFloat), bf16 ? 0.1 : 1e-4));
    REQUIRE(with_shortcut == 2 * 9);  // the blocks
    REQUIRE(with_relu == 2 * 19);     // all norms but those of the shortcuts
    REQUIRE(calls == 2 * 21);
  }
  // Maps in contiguous format, and a norm of few channels.
  c2f::predictor<cifar> contiguous(model, {.on = {tests::device(), &table}, .channels_last = false});
  calls = 0;
  REQUIRE(close(both.fine, contiguous(x).fine, 1e-4));
  REQUIRE(calls == 0);
  using narrow   = with<c2f::sequential<c2f::conv<6, 3>, c2f::batch_norm, c2f::relu>>;
  auto const few = model_of<narrow>();
  c2f::predictor<narrow> predict(few, {.on = {tests::device(), &table}});
  REQUIRE(predict.folded() == 2);
  REQUIRE(close(few(x, c2f::eval).fine, predict(x).fine, 1e-4));
  REQUIRE(calls == 0);
}

TEST_CASE("a norm is folded only where the predictions stay the same") {
  C2F_NEEDS_DEVICE();
  same<with<read_twice>>(0);
  same<with<changed>>(0);
  same<with<twice>>(0);
}

TEST_CASE("each batch size is captured once, and a replay does not overwrite earlier predictions") {
  C2F_NEEDS_DEVICE();
  at::NoGradGuard const no_gradients;
  auto const model = model_of<cifar>();
  c2f::predictor<cifar> predict(model, {.on = tests::capturing_accelerator()});
  auto const first = images<cifar>(3), second = first.neg(), other = images<cifar>(2);
  tests::captures         = 0;
  auto const predictions  = predict(first);
  at::Tensor const before = predictions.fine.clone();
  REQUIRE(close(model(second, c2f::eval).fine, predict(second).fine, 1e-4));
  REQUIRE(predictions.fine.equal(before));
  REQUIRE(close(model(other, c2f::eval).fine, predict(other).fine, 1e-4));
  REQUIRE(tests::captures == 2);
  REQUIRE(predict.captured_sizes() == 2);

  c2f::stack<tiny::dense> const cropping(1);
  c2f::predictor<tiny::dense> by_host(cropping, {.on = tests::capturing_accelerator()});
  auto const slice = images<tiny::dense>(1);
  REQUIRE(close(cropping(slice, c2f::eval).answer, by_host(slice).answer, 1e-4));
  REQUIRE(by_host.captured_sizes() == 0);
  REQUIRE(by_host.why_not_captured() == "c2f::fuse::crop, which looks for its boxes on the host");
  REQUIRE(tests::captures == 2);
}

TEST_CASE("a predictor in bfloat16 gives nearly the same predictions, and does not change its model") {
  C2F_NEEDS_DEVICE();
  at::NoGradGuard const no_gradients;
  auto const model  = model_of<cifar>();
  auto const before = c2f::detail::copies_of_tensors(model);
  c2f::predictor<cifar> predict(model, {.on = {tests::device()}, .bf16 = true});
  auto const x = images<cifar>(4);
  REQUIRE(predict(x).fine.scalar_type() == at::kBFloat16);
  REQUIRE(close(model(x, c2f::eval).coarse, predict(x).coarse.to(at::kFloat), 0.1));
  REQUIRE(tiny::same_bytes(before, c2f::detail::copies_of_tensors(model)));
  REQUIRE_THROWS_AS(predict(x.narrow(2, 0, 16)), c2f::input_error);
}
