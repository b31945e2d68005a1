// Which channels are found, what they cost, and that replacing them changes no answer.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/layers/depthwise.hpp>
#include <c2f/layers/gunn.hpp>
#include <c2f/networks/densenet_cifar.hpp>
#include <c2f/networks/mobilenet.hpp>
#include <c2f/networks/vgg_norm.hpp>
#include <c2f/train/channel_surgery.hpp>

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/full.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using c2f::eval;
using c2f::image;
using c2f::train;
using kind = c2f::class_vector<5>;

using small_vgg = c2f::norm_vgg<kind, c2f::vgg_layers<8, 12, c2f::vgg_pool, 10, 6>>;
// Three convolutions of 3 -> 4 -> 4 -> 2 channels.
using by_hand = c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm, c2f::relu, c2f::conv<4, 3>, c2f::batch_norm, c2f::relu, c2f::conv<2, 3>>;
using flat    = c2f::sequential<c2f::conv<6, 3>, c2f::batch_norm, c2f::relu, c2f::max_pool<4>, c2f::flatten, c2f::linear<5>>;
using pointwise = c2f::sequential<c2f::conv<6, 3>, c2f::batch_norm, c2f::leaky_relu<0.1>, c2f::conv<7, 1, 1, 0, c2f::bias>, c2f::batch_norm,
                                  c2f::relu, c2f::conv<3, 1, 1, 0, c2f::bias>, c2f::global_average_pool, c2f::linear<5>>;
using mobile    = c2f::sequential<c2f::conv<8, 3>, c2f::batch_norm, c2f::relu, c2f::separable_conv<10, 3>, c2f::separable_conv<6, 3>,
                                  c2f::global_average_pool, c2f::linear<5>>;

template <class Unit, class Update = c2f::update::gradual>
using gradual = c2f::sequential<c2f::conv<6, 3>, c2f::batch_norm, c2f::relu, c2f::gunn<3, Unit, Update>, c2f::conv<5, 1>, c2f::batch_norm,
                                c2f::relu, c2f::global_average_pool, c2f::linear<5>>;

/// Two maps side by side, and a third that reads both.
struct dense_block {
  template <c2f::shape In>
  struct on {
    using layer  = c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm, c2f::relu>;
    using output = c2f::vector<5>;
    c2f::network_on<layer, In> a;
    c2f::network_on<layer, image<4, In::height, In::width>> b;
    c2f::network_on<layer, image<8, In::height, In::width>> c;
    c2f::network_on<c2f::linear<5>, c2f::vector<12>> fc;
    C2F_MEMBERS(a, b, c, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const y = a(x, m), z = b(y, m), both = at::cat({y, z}, 1);
      return fc(at::cat({both, c(both, m)}, 1).mean({2, 3}), m);
    }
  };
};
/// A sigmoid behind a norm, half of the channels of another one, norms that are read as a difference, and one whose convolution is read raw, too.
struct odd_readers {
  template <c2f::shape In>
  struct on {
    using layer  = c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm>;
    using output = c2f::vector<5>;
    c2f::network_on<layer, In> gated, halved, one, other, good;
    c2f::network_on<c2f::conv<4, 3>, In> shared;
    c2f::network_on<c2f::batch_norm, image<4, In::height, In::width>> norm;
    c2f::network_on<c2f::conv<4, 1, 1, 0, c2f::bias>, image<22, In::height, In::width>> reads;
    c2f::network_on<c2f::linear<5>, c2f::vector<4>> fc;
    C2F_MEMBERS(gated, halved, one, other, good, shared, norm, reads, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const raw = shared(x, m);
      at::Tensor const all = at::cat({gated(x, m).sigmoid(), halved(x, m).relu().narrow(1, 0, 2), one(x, m).relu().sub(other(x, m)),
                                      good(x, m).relu(), norm(raw, m).relu(), raw.relu()},
                                     1);
      return fc(reads(all, m).mean({2, 3}), m);
    }
  };
};

/// A 1x1 convolution behind a norm that is read by a norm and, besides, raw or by another norm.
template <bool ByTwoNorms>
struct raw_readers {
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<5>;
    using map    = image<4, In::height, In::width>;
    c2f::network_on<c2f::sequential<c2f::conv<6, 3>, c2f::batch_norm>, In> first;
    c2f::network_on<c2f::conv<4, 1>, image<6, In::height, In::width>> shared;
    c2f::network_on<c2f::batch_norm, map> norm;
    c2f::network_on<std::conditional_t<ByTwoNorms, c2f::batch_norm, c2f::identity>, map> other;
    c2f::network_on<c2f::linear<5>, c2f::vector<8>> fc;
    C2F_MEMBERS(first, shared, norm, other, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const raw = shared(first(x, m).relu(), m);
      return fc(at::cat({norm(raw, m).relu(), other(raw, m).sigmoid()}, 1).mean({2, 3}), m);
    }
  };
};
/// What is the identity on some numbers only, and leaky ReLU.
struct curved_readers {
  template <c2f::shape In>
  struct on {
    using layer  = c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm>;
    using output = c2f::vector<5>;
    c2f::network_on<layer, In> elu, relu6, shrunk, leaky;
    c2f::network_on<c2f::conv<4, 1>, image<16, In::height, In::width>> reads;
    c2f::network_on<c2f::linear<5>, c2f::vector<4>> fc;
    C2F_MEMBERS(elu, relu6, shrunk, leaky, reads, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const all =
          at::cat({at::elu(elu(x, m)), relu6(x, m).clamp(0, 6), shrunk(x, m).hardshrink(0.5), at::leaky_relu(leaky(x, m), 0.2)}, 1);
      return fc(reads(all, m).mean({2, 3}), m);
    }
  };
};
/// A norm over parts of pictures.
struct folded {
  template <c2f::shape In>
  struct on {
    using layer  = c2f::sequential<c2f::conv<4, 3>, c2f::batch_norm>;
    using output = c2f::vector<5>;
    using map    = image<4, In::height, In::width>;
    c2f::network_on<layer, In> a;
    c2f::network_on<c2f::conv<4, 3>, map> b;
    c2f::network_on<c2f::batch_norm, map> norm;
    c2f::network_on<c2f::linear<5>, c2f::vector<4>> fc;
    C2F_MEMBERS(a, b, norm, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const y = b(a(x, m).relu(), m);
      return fc(norm(y.reshape({2 * y.size(0), 4, -1, y.size(3)}), m).relu().reshape(y.sizes()).mean({2, 3}), m);
    }
  };
};
/// Channels that are read by a convolution and as means over pixels, which round.
struct read_twice {
  template <c2f::shape In>
  struct on {
    template <std::int64_t Width>
    using layer  = c2f::sequential<c2f::conv<Width, 3>, c2f::batch_norm, c2f::relu>;
    using output = c2f::vector<5>;
    c2f::network_on<layer<40>, In> a;
    c2f::network_on<layer<4>, image<40, In::height, In::width>> b;
    c2f::network_on<c2f::linear<5>, c2f::vector<44>> fc;
    C2F_MEMBERS(a, b, fc);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const y = a(x, m);
      return fc(at::cat({y.mean({2, 3}), b(y, m).mean({2, 3})}, 1), m);
    }
  };
};

template <class Architecture, std::int64_t Side = 8>
auto network(std::uint64_t seed, at::ScalarType type = at::kDouble) {
  auto net = c2f::make_network<Architecture, image<3, Side, Side>>(seed);
  // Every tensor gets numbers that no symmetry hides.
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) {
    if (traits.on_host) return;
    at::Tensor numbers = c2f::detail::sample_numbers(each.tensor().sizes().vec(), c2f::hash_of(path)).to(at::kDouble);
    if (path.ends_with("running_var")) numbers = numbers.abs().add(0.5);
    if (each.tensor().dim() == 4) numbers = numbers.mul(0.3);
    each.assign(numbers.to(type).set_requires_grad(traits.trained));
  });
  return net;
}
at::Tensor images(at::ScalarType type = at::kDouble, std::int64_t side = 8) {
  return c2f::detail::sample_numbers({4, 3, side, side}, 77).to(type);
}
template <class Net>
c2f::channel_graph graph_of(Net& net, std::int64_t side = 8) {
  return c2f::channels_of(net, 3, side, side);
}
std::vector<std::string> free_norms(c2f::channel_graph const& graph) {
  std::vector<std::string> all;
  for (auto const& each : graph.norms())
    if (each.free) all.push_back(each.path);
  return all;
}
/// Sets every third channel of each free norm to 0, with biases of both signs.
template <class Net>
void kill_some(Net& net, std::int64_t side = 8) {
  auto const graph = graph_of(net, side);
  for (std::size_t n = 0; n < graph.norms().size(); ++n) {
    auto const& norm = graph.norms()[n];
    if (!norm.free) continue;
    at::Tensor const weight = norm.weight->tensor().detach(), bias = norm.bias->tensor().detach();
    for (std::int64_t k = 0; k < weight.numel(); ++k) {
      if (k % 3 == 1)
        weight[k].fill_(0), bias[k].fill_(k % 2 == 0 ? -0.7 : 0.4 + 0.1 * static_cast<double>(k));
      else if (weight[k].abs().template item<double>() < 0.1)
        weight[k].fill_(0.1);
    }
  }
}
double furthest(at::Tensor const& a, at::Tensor const& b) { return a.sub(b).abs().max().div(b.abs().max()).to(at::kDouble).item<double>(); }

/// Laws (i) to (iii) on a network: nothing of these changes an answer.
template <class Architecture, std::int64_t Side = 8>
void laws(std::int64_t fewest = 1) {
  for (auto const type : {at::kDouble, at::kFloat}) {
    double const most  = type == at::kDouble ? 1e-10 : 1e-4;
    at::Tensor const x = images(type, Side);
    auto net           = network<Architecture, Side>(1, type);
    REQUIRE(std::ssize(free_norms(graph_of(net, Side))) >= fewest);
    // (i) rescaling
    auto scaled     = net;
    auto const same = c2f::replace_channels(scaled, graph_of(scaled, Side), {.dead = 0, .compensate = false, .rescale = true});
    for (auto const& norm : same.norms) REQUIRE(norm.after == norm.before);
    REQUIRE(furthest(scaled(x, eval), net(x, eval)) < most);
    // In training a norm over few values enlarges rounding errors, as those of the parameters in float.
    at::Tensor const plain = network<Architecture, Side>(1, type)(x, train);
    double const rounding  = furthest(plain, network<Architecture, Side>(1)(images(at::kDouble, Side), train));
    REQUIRE(furthest(scaled(x, train), plain) < std::max(most, 10 * rounding));
    auto const graph = graph_of(scaled, Side);
    for (auto const& norm : graph.norms())
      if (norm.free) REQUIRE(norm.weight->tensor().abs().min().template item<double>() >= 1 - 1e-6);
    // (ii) channels with weight 0 taken out, (iii) and others given
    kill_some(net, Side);
    at::Tensor const wanted   = net(x, eval);
    std::int64_t const before = c2f::count_parameters(net);
    auto pruned               = net;
    auto const taken          = c2f::replace_channels(pruned, graph_of(pruned, Side), {.regrow = false});
    REQUIRE(taken.utilisation < 1);
    REQUIRE(taken.growth == 1);
    REQUIRE(c2f::count_parameters(pruned) < before);
    REQUIRE(furthest(pruned(x, eval), wanted) < most);
    for (bool const rescale : {false, true})
      for (auto const cross : {c2f::cross_connections::kept, c2f::cross_connections::none, c2f::cross_connections::attention}) {
        auto grown       = net;
        auto const given = c2f::replace_channels(grown, graph_of(grown, Side), {.rescale = rescale, .cross = cross});
        REQUIRE(given.growth > 1);
        REQUIRE(furthest(grown(x, eval), wanted) < most);
        REQUIRE(given.cost_after <= given.budget);
        REQUIRE(graph_of(grown, Side).cost(c2f::resource::parameters) == given.cost_after);
        // The new channels take part in the training.
        auto copy            = grown;
        at::Tensor const sum = copy(x, train).square().sum();
        sum.backward();
        c2f::for_each_tensor(copy, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
          if (traits.trained) {
            INFO(path);
            REQUIRE(each.tensor().grad().defined());
          }
        });
        auto const wider = graph_of(copy, Side);
        for (auto const& norm : wider.norms()) {
          if (!norm.free || !rescale) continue;  // all but the channels that carry constants
          at::Tensor const size = norm.weight->tensor().abs();
          REQUIRE(size.ge(1 - 1e-6).logical_or(size.eq(0)).all().template item<bool>());
        }
        for (auto const& layer : wider.layers()) {
          std::int64_t column = 0;
          for (auto const& block : layer.blocks) {
            // Apart from the older channels nothing reaches the output at first, since the classifier reads new ones by 0.
            if (block.norm >= 0 && !layer.depthwise && layer.weight->blocks() == nullptr) {
              auto const& norm         = given.norms[static_cast<std::size_t>(block.norm)];
              std::int64_t const first = column + norm.kept * block.each, more = (norm.after - norm.kept) * block.each;
              INFO(layer.path);
              if (more > 0) REQUIRE(layer.weight->tensor().grad().narrow(1, first, more).ne(0).any().template item<bool>());
            }
            column += block.columns;
          }
        }
      }
  }
}

}  // namespace

static_assert(c2f::parameter_count<c2f::network_on<c2f::vgg19_cifar<c2f::class_vector<10>>, image<3, 32, 32>>> == 20'035'018);
static_assert(c2f::parameter_count<c2f::network_on<c2f::vgg19_cifar<c2f::class_vector<100>>, image<3, 32, 32>>> == 20'081'188);
static_assert(c2f::parameter_count<c2f::network_on<c2f::vgg16_convolutional<c2f::class_vector<1000>>, image<3, 224, 224>>> == 37'706'664);

static_assert(c2f::parameter_count<c2f::network_on<c2f::densenet_cifar<100, 40, c2f::class_vector<10>>, image<3, 32, 32>>> == 8'269'050);
static_assert(c2f::parameter_count<c2f::network_on<c2f::densenet_cifar<100, 40, c2f::class_vector<100>>, image<3, 32, 32>>> == 8'371'740);
static_assert(c2f::parameter_count<c2f::network_on<c2f::mobilenet<c2f::class_vector<1000>>, image<3, 224, 224>>> == 4'231'976);
static_assert(c2f::parameter_count<c2f::network_on<c2f::mobilenet<c2f::class_vector<1000>, 0.5>, image<3, 128, 128>>> == 1'331'592);
static_assert(c2f::parameter_count<c2f::network_on<c2f::mobilenet<c2f::class_vector<1000>, 0.25>, image<3, 128, 128>>> == 470'072);
static_assert(c2f::parameter_count<c2f::network_on<c2f::resnet_cifar<110, c2f::class_vector<10>, c2f::bottleneck>, image<3, 32, 32>>> ==
              1'704'154);
static_assert(c2f::parameter_count<c2f::network_on<c2f::resnet_cifar<110, c2f::class_vector<100>, c2f::bottleneck>, image<3, 32, 32>>> ==
              1'727'284);

TEST_CASE("the channels that may be replaced are seen in one pass") {
  auto vgg = network<small_vgg>(1);
  REQUIRE(free_norms(graph_of(vgg)) == std::vector<std::string>{"features.1", "features.4", "features.8", "features.11"});
  auto resnet = c2f::make_network<c2f::resnet<18, kind>, image<3, 64, 64>>(1);
  REQUIRE(free_norms(graph_of(resnet, 64)) == std::vector<std::string>{"layer1.0.bn1", "layer1.1.bn1", "layer2.0.bn1", "layer2.1.bn1",
                                                                       "layer3.0.bn1", "layer3.1.bn1", "layer4.0.bn1", "layer4.1.bn1"});
  auto dense       = network<dense_block>(1);
  auto const graph = graph_of(dense);
  REQUIRE(free_norms(graph) == std::vector<std::string>{"a.1", "b.1", "c.1"});
  REQUIRE(graph.layers()[2].blocks.size() == 2);
  REQUIRE(graph.layers()[3].blocks.size() == 3);
  auto odd = network<odd_readers>(1);
  REQUIRE(free_norms(graph_of(odd)) == std::vector<std::string>{"good.1"});
  auto curved = network<curved_readers>(1);
  REQUIRE(free_norms(graph_of(curved)) == std::vector<std::string>{"leaky.1"});
  auto parts = network<folded>(1);
  REQUIRE(free_norms(graph_of(parts)) == std::vector<std::string>{"a.1"});
  auto other = network<small_vgg>(1);
  REQUIRE(tests::has(tests::refusal<c2f::error>([&] { c2f::channel_graph(c2f::any_network(vgg), [&] { return other(images(), eval); }); }),
                     "a layer that is no part of the network"));
  auto separable    = network<mobile>(1);
  auto const groups = graph_of(separable);
  REQUIRE(free_norms(groups).size() == 5);
  REQUIRE(groups.norms()[0].decides == 1);
  REQUIRE(groups.norms()[2].decides == 3);
  REQUIRE(groups.norms()[4].decides == 4);
}

TEST_CASE("costs, utilisation and widths are those computed by hand") {
  auto net         = network<by_hand>(1);
  auto const graph = graph_of(net);
  auto const set   = [&](std::size_t norm, std::vector<float> const& values) {
    graph.norms()[norm].weight->tensor().detach().copy_(at::tensor(values));
  };
  set(0, {1, 0.009f, -0.5f, -0.0099f});
  set(1, {-2, 0.0201f, 0.0199f, 0.3f});
  auto const living = graph.living(0.01);
  REQUIRE(living[0] == std::vector<bool>{true, false, true, false});
  REQUIRE(living[1] == std::vector<bool>{true, true, false, true});
  REQUIRE(graph.cost(c2f::resource::parameters) == 324);
  REQUIRE(graph.cost(living, c2f::resource::parameters) == 162);
  REQUIRE(graph.cost(c2f::resource::multiply_adds) == 324 * 64);
  REQUIRE(graph.utilisation(living, c2f::resource::multiply_adds) == 0.5);
  auto const done = c2f::replace_channels(net, graph, {.compensate = false});
  REQUIRE(done.norms[0].after == 3);
  REQUIRE(done.norms[1].after == 5);
  REQUIRE(done.cost_after == 306);
  REQUIRE(std::abs(done.growth - 1.75) < 1e-6);
  REQUIRE(graph_of(net).cost(c2f::resource::parameters) == 306);
  auto other       = network<by_hand>(1);
  auto const eight = c2f::replace_channels(other, graph_of(other), {.dead = 0, .budget = 8000, .multiple = 8});
  REQUIRE(eight.norms[0].after % 8 == 0);
  REQUIRE(eight.cost_after <= 8000);
  // Multiply-adds are those of c2f::multiply_adds.
  auto vgg = network<small_vgg>(1);
  REQUIRE(graph_of(vgg).cost(c2f::resource::multiply_adds) ==
          static_cast<double>(c2f::multiply_adds([&] { vgg(images().narrow(0, 0, 1), eval); })));
}

TEST_CASE("no answer changes: VGG") { laws<small_vgg>(4); }
TEST_CASE("no answer changes: flatten and convolutions without padding") {
  laws<flat>();
  laws<pointwise>(2);
}
TEST_CASE("no answer changes: maps side by side, depthwise convolutions, residual networks") {
  laws<dense_block>(3);
  laws<odd_readers>();
  laws<raw_readers<false>>();
  laws<raw_readers<true>>();
  laws<c2f::densenet_cifar<16, 4, kind>>(15);
  laws<c2f::mobilenet<kind, 0.25>, 32>(27);
  laws<mobile>(5);
  laws<c2f::resnet_cifar<8, kind>>(3);
  laws<c2f::resnet_cifar<8, kind, c2f::bottleneck>>(6);
}
TEST_CASE("no answer changes: gradually updated layers, whose groups keep their channels") {
  laws<gradual<c2f::gunn_unit<>>>(3);
  laws<gradual<c2f::gunn_unit<1, 2, c2f::shortcut::per_unit, false>, c2f::update::simultaneous>>(3);
  auto net = network<gradual<c2f::gunn_unit<1, 1, c2f::shortcut::none, false>>>(1);
  for (auto const& path : free_norms(graph_of(net))) REQUIRE((path.ends_with(".bn1") || path.ends_with(".bn2") || path == "5"));
}

TEST_CASE("cross attention is the formula of the paper") {
  auto net = c2f::make_network<c2f::conv<2, 1>, image<2, 1, 1>>(1);
  net.weight.assign(at::tensor({1.0, 0.5, 0.25, -1.0}, at::kDouble).view({2, 2, 1, 1}));
  net.weight.set_blocks({.in = 1, .out = 1, .attention = true});
  at::Tensor const x = at::tensor({1.0, 2.0}, at::kDouble).view({1, 2, 1, 1});
  REQUIRE(net(x, eval).view({2}).sub(at::tensor({2.46212, -1.94040}, at::kDouble)).abs().max().item<double>() < 5e-6);
  net.weight.set_blocks({.in = 1, .out = 1});
  REQUIRE(net(x, eval).view({2}).equal(at::tensor({1.0, -2.0}, at::kDouble)));
  REQUIRE(c2f::multiply_adds([&] { net(x, eval); }) == 2);
  REQUIRE(c2f::count_parameters(net) == 2);
  auto const copy = net;
  REQUIRE(copy.weight.blocks() != nullptr);
  net.weight.clear_blocks();
  REQUIRE(net(x, eval).view({2}).equal(at::tensor({2.0, -1.75}, at::kDouble)));
}

TEST_CASE("new weights: zero between old and new, initial values among the new") {
  using wide      = c2f::norm_vgg<kind, c2f::vgg_layers<40, 40, 40>>;
  auto const made = [](c2f::cross_connections cross, std::uint64_t seed, std::uint64_t number) {
    auto net = network<wide>(1, at::kFloat);
    for (auto* each : {&std::get<1>(net.features.layers).weight, &std::get<4>(net.features.layers).weight})
      each->tensor().detach().narrow(0, 0, 20).zero_();
    auto const done = c2f::replace_channels(net, graph_of(net), {.compensate = false, .cross = cross, .seed = seed, .number = number});
    REQUIRE(done.norms[1].kept == 20);
    return net;
  };
  auto const net         = made(c2f::cross_connections::kept, 3, 1);
  at::Tensor const first = std::get<0>(net.features.layers).weight.tensor(), second = std::get<3>(net.features.layers).weight.tensor(),
                   third = std::get<6>(net.features.layers).weight.tensor(), norm = std::get<4>(net.features.layers).weight.tensor();
  std::int64_t const width = second.size(0), more = width - 20;
  REQUIRE(more > 10);
  REQUIRE(first.size(0) == width);
  auto const old = network<wide>(1, at::kFloat);
  REQUIRE(
      second.narrow(0, 0, 20).narrow(1, 0, 20).equal(std::get<3>(old.features.layers).weight.tensor().narrow(0, 20, 20).narrow(1, 20, 20)));
  REQUIRE(second.narrow(0, 0, 20).narrow(1, 20, more).eq(0).all().item<bool>());
  REQUIRE(second.narrow(0, 20, more).narrow(1, 0, 20).eq(0).all().item<bool>());
  at::Tensor const among = second.narrow(0, 20, more).narrow(1, 20, more);
  REQUIRE(among.ne(0).all().item<bool>());
  double const deviation = std::sqrt(2.0 / (9.0 * static_cast<double>(width)));
  REQUIRE(std::abs(among.std().item<double>() / deviation - 1) < 0.05);
  REQUIRE(std::abs(among.mean().item<double>()) < 0.05 * deviation);
  REQUIRE(first.narrow(0, 20, more).ne(0).all().item<bool>());  // it reads the image
  REQUIRE(third.size(0) > 20);
  REQUIRE(norm.narrow(0, 20, more).eq(1).all().item<bool>());
  at::Tensor const classes = net.fc.weight.tensor();
  std::int64_t const last  = std::get<7>(old.features.layers).weight.tensor().size(0);
  REQUIRE(classes.narrow(1, last, classes.size(1) - last).eq(0).all().item<bool>());
  // Other numbers for another seed or surgery, the same for the same.
  auto const among_of = [&](std::uint64_t seed, std::uint64_t number) {
    return std::get<3>(made(c2f::cross_connections::kept, seed, number).features.layers).weight.tensor().detach();
  };
  REQUIRE(among_of(3, 1).equal(second));
  REQUIRE(!among_of(4, 1).equal(second));
  REQUIRE(!among_of(3, 2).equal(second));
  // Without cross-connections these weights have no part: no multiply-adds, no gradient, and they are not counted.
  auto const apart   = made(c2f::cross_connections::none, 3, 1);
  auto graph         = c2f::channels_of(const_cast<std::remove_const_t<decltype(apart)>&>(apart), 3, 8, 8);
  at::Tensor const x = images(at::kFloat).narrow(0, 0, 1);
  REQUIRE(graph.cost(c2f::resource::multiply_adds) == static_cast<double>(c2f::multiply_adds([&] { apart(x, eval); })));
  std::int64_t norms = 0, biases = 5;
  for (std::size_t n = 0; n < graph.norms().size(); ++n) norms += 2 * graph.channels(n);
  REQUIRE(c2f::count_parameters(apart) == static_cast<std::int64_t>(graph.cost(c2f::resource::parameters)) + norms + biases);
  apart(images(at::kFloat), train).square().sum().backward();
  at::Tensor const gradient = std::get<3>(apart.features.layers).weight.tensor().grad();
  REQUIRE(gradient.narrow(0, 0, 20).narrow(1, 20, gradient.size(1) - 20).eq(0).all().item<bool>());
  REQUIRE(gradient.narrow(0, 0, 20).narrow(1, 0, 20).ne(0).any().item<bool>());
}

namespace {
template <class Architecture>
void moves_with_gradients() {
  auto net = network<Architecture>(1);
  kill_some(net);
  auto const graph = graph_of(net);
  for (auto const& norm : graph.norms()) {  // dead channels that say nothing, living ones that say something
    at::Tensor const weight = norm.weight->tensor().detach(), shift = norm.bias->tensor().detach();
    shift.abs_().mul_(weight.ne(0).to(at::kDouble).mul(2).sub(1));
  }
  auto const now       = graph_of(net);
  auto const gradients = [](auto const& of) {
    c2f::named_tensors all;
    c2f::for_each_tensor(of, [](auto const&, c2f::state_tensor const& each, auto const&) { each.tensor().mutable_grad().reset(); });
    of(images(), eval).square().sum().backward();
    c2f::for_each_tensor(of, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
      if (!traits.trained) return;
      all.emplace_back(path, each.tensor().grad());
      all.emplace_back(path + ".first_moment", each.tensor().grad());
      all.emplace_back(path + ".second_moment", each.tensor().grad().square());
    });
    all.emplace_back("updates", at::ones({}));
    return all;
  };
  auto carried = gradients(net);
  c2f::replace_channels(net, now, {.rescale = true}, &carried);
  auto const wanted = gradients(net);
  REQUIRE(carried.size() == wanted.size());
  for (std::size_t i = 0; i < carried.size(); ++i) {
    at::Tensor const &found = carried[i].second, &is = wanted[i].second;
    INFO(carried[i].first);
    REQUIRE(found.sizes() == is.sizes());
    at::Tensor const old = found.ne(0);  // new ones are 0
    REQUIRE(old.any().item<bool>());
    REQUIRE(found.sub(is).mul(old).abs().max().item<double>() < 1e-9 * is.abs().max().item<double>());
    if (found.dim() == 4 && found.size(0) > 6) REQUIRE(old.logical_not().any().item<bool>());
  }
}

}  // namespace
TEST_CASE("the state of the optimiser follows the channels that stay, as gradients do") {
  moves_with_gradients<small_vgg>();
  moves_with_gradients<mobile>();
  moves_with_gradients<dense_block>();
}

TEST_CASE("the found widths from scratch are a network of these widths") {
  auto net        = network<small_vgg>(1, at::kFloat);
  auto const done = c2f::scale_widths(net, graph_of(net), 2000, c2f::resource::parameters, 9);
  REQUIRE(done.cost_after <= 2000);
  REQUIRE(done.cost_after > 1500);
  REQUIRE(done.norms[0].after == 7);
  REQUIRE(done.norms[1].after == 10);
  REQUIRE(done.norms[2].after == 8);
  REQUIRE(done.norms[3].after == 5);
  auto const of_type = c2f::make_network<c2f::norm_vgg<kind, c2f::vgg_layers<7, 10, c2f::vgg_pool, 8, 5>>, image<3, 8, 8>>(9);
  c2f::for_each_tensor(of_type, [&](std::string const& path, c2f::state_tensor const& each, auto const&) {
    c2f::for_each_tensor(std::as_const(net), [&](std::string const& other, c2f::state_tensor const& own, auto const&) {
      if (path == other && path != "fc.bias") REQUIRE(own.tensor().equal(each.tensor()));  // whose bound is that of its type
    });
  });
  REQUIRE(tests::has(tests::refusal([&] { c2f::scale_widths(net, graph_of(net), 10, c2f::resource::parameters, 9); }), "the budget is 10"));
}

TEST_CASE("no surgery costs more than its budget") {
  auto net = network<small_vgg>(1);
  kill_some(net);
  auto pruned       = net;
  auto const taken  = c2f::replace_channels(pruned, graph_of(pruned), {.regrow = false});
  double const most = taken.cost_after;  // with the channels that carry constants
  REQUIRE(taken.cost_living < most - 1);
  auto const with = [](auto of, c2f::surgery_options const& how) { return c2f::replace_channels(of, graph_of(of), how); };
  for (double const budget : {taken.cost_living, (taken.cost_living + most) / 2, most - 1})
    tests::require_message(tests::refusal([&] { with(net, {.budget = budget}); }), {"the channels that stay cost", "and the budget is"});
  REQUIRE(with(net, {.budget = most}).cost_after == most);
  // 4, 4 become 8, 8: 8 * 27 + 8 * 8 * 9 + 2 * 8 * 9.
  auto const hand = network<by_hand>(1);
  REQUIRE(with(hand, {.dead = 0, .budget = 936, .multiple = 8}).cost_after == 936);
  tests::require_message(tests::refusal([&] { with(hand, {.dead = 0, .budget = 935, .multiple = 8}); }),
                         {"the channels that stay cost 936, and the budget is 935"});
  // Without cross-connections: those between old and older channels are weights from the second surgery on.
  auto apart = net;
  c2f::replace_channels(apart, graph_of(apart), {.cross = c2f::cross_connections::none});
  double const cost = graph_of(apart).cost(c2f::resource::parameters);
  tests::require_message(tests::refusal([&] { with(apart, {.dead = 0, .cross = c2f::cross_connections::none}); }),
                         {"the channels that stay cost"});
  auto const again = with(apart, {.dead = 0, .budget = 2 * cost, .cross = c2f::cross_connections::none});
  REQUIRE(again.cost_after <= 2 * cost);
}

TEST_CASE("the largest factor is found where a layer becomes cheaper with it") {
  // Of 100 and 10 living channels, a in 1.05 to 1.055 gives 105 and 11: 3 * 105 + 100 * 10 + 5 * 1 + 2 * 11 = 1342. Below 1.05 the 10 get
  // no new one, and all of the second layer reads all of the first: 13 * 105 + 20 = 1385, and 1333 for 101.
  using uneven =
      c2f::sequential<c2f::conv<100, 1>, c2f::batch_norm, c2f::relu, c2f::conv<10, 1>, c2f::batch_norm, c2f::relu, c2f::conv<2, 1>>;
  auto const widths = [](double budget) {
    auto net        = network<uneven>(1);
    auto const done = c2f::replace_channels(net, graph_of(net), {.dead = 0, .budget = budget, .cross = c2f::cross_connections::none});
    REQUIRE(graph_of(net).cost(c2f::resource::parameters) == done.cost_after);
    return std::vector<double>{static_cast<double>(done.norms[0].after), static_cast<double>(done.norms[1].after), done.cost_after};
  };
  REQUIRE(widths(1342) == std::vector<double>{105, 11, 1342});
  REQUIRE(widths(1341) == std::vector<double>{101, 10, 1333});
}

TEST_CASE("constants that differ by rounding are carried by one channel") {
  auto net = network<read_twice, 7>(1);
  kill_some(net, 7);
  auto const done = c2f::replace_channels(net, graph_of(net, 7), {.regrow = false});
  REQUIRE(done.norms[0].living < 40);
  REQUIRE(done.norms[0].kept == done.norms[0].living + 1);
}

TEST_CASE("what cannot be replaced is refused, and nothing has changed") {
  auto net                = network<small_vgg>(1);
  at::Tensor const before = net(images(), eval);
  for (c2f::surgery_options const& wrong : {c2f::surgery_options{.dead = 1}, c2f::surgery_options{.budget = -1},
                                            c2f::surgery_options{.weight = 0}, c2f::surgery_options{.multiple = 0}})
    REQUIRE(tests::has(tests::refusal([&] { c2f::replace_channels(net, graph_of(net), wrong); }), "channels cannot be replaced with dead"));
  tests::require_message(tests::refusal([&] { c2f::replace_channels(net, graph_of(net), {.budget = 1000}); }),
                         {"the channels that stay cost 2", "and the budget is 1000"});
  REQUIRE(net(images(), eval).equal(before));
  kill_some(net);
  c2f::replace_channels(net, graph_of(net), {.cross = c2f::cross_connections::attention});
  REQUIRE(tests::has(tests::refusal([&] { c2f::replace_channels(net, graph_of(net)); }), "has cross attention"));
  auto sum = network<c2f::residual<c2f::sequential<c2f::conv<3, 3>, c2f::batch_norm>>>(1);
  REQUIRE(tests::has(tests::refusal([&] { c2f::replace_channels(sum, graph_of(sum)); }), "no norm of this network has channels"));
}
