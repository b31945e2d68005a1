// Loading and saving weights: names, shapes, types, and refusals that leave the network unchanged.
// tests/parity/torchvision_weights.py compares with torchvision's networks in both directions.
#include <c2f/c2f.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/vgg.hpp>
#include <c2f/torch/network.hpp>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros_like.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <cstring>
#include <filesystem>

#include <unistd.h>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

using c2f::widening;
using names   = std::vector<std::string>;
using tensors = std::map<std::string, at::Tensor>;

using small  = c2f::resnet_cifar<8, c2f::class_vector<4>>;
using rgb    = c2f::image<3, 8, 8>;
using net    = c2f::network_on<small, rgb>;
using vggs   = c2f::network_on<c2f::vgg16<c2f::class_vector<1000>>, c2f::image<3, 224, 224>>;
using tenner = c2f::network_on<c2f::resnet<10, c2f::class_vector<1000>>, c2f::image<3, 224, 224>>;
static_assert(c2f::parameter_count<vggs> == 138'357'544);  // torchvision.models.vgg16
static_assert(c2f::parameter_count<tenner> == 5'418'792);  // torchvision's ResNet(BasicBlock, [1, 1, 1, 1])

/// A temporary file.
struct scratch {
  tests::scratch dir{};
  std::filesystem::path path = dir.path / "weights";
  scratch()                  = default;
  scratch(tensors const& what) { c2f::data::write_safetensors(path, {what, {}}); }
  [[nodiscard]] tensors held() const { return c2f::data::read_safetensors(path).tensors; }
};

/// Copies of all parameters and buffers.
template <class Net>
tensors copies_of(Net const& of) {
  tensors all;
  c2f::for_each_tensor(of, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
    all[path] = each.tensor().detach().clone();
  });
  return all;
}
bool same(tensors const& a, tensors const& b) {
  if (a.size() != b.size()) return false;
  for (auto const& [name, value] : a) {
    at::Tensor const one = value.contiguous(), other = b.at(name).contiguous();
    if (one.scalar_type() != other.scalar_type() || one.sizes() != other.sizes() ||
        std::memcmp(one.const_data_ptr(), other.const_data_ptr(), one.nbytes()) != 0)
      return false;
  }
  return true;
}
net made(std::uint64_t seed) { return c2f::make_network<small, rgb>(seed); }

/// The message of a refusal to load; requires that the network is bit for bit unchanged.
template <class Net>
std::string refusal(Net& into, std::filesystem::path const& file, c2f::weights_options const& options = {}) {
  tensors const before = copies_of(into);
  std::string message  = tests::refusal([&] { c2f::load_weights(into, file, options); });
  REQUIRE_FALSE(message.empty());
  REQUIRE(same(before, copies_of(into)));
  return message;
}

}  // namespace

TEST_CASE("a network is restored from its file, and the file has torchvision's names") {
  scratch const file;
  net const one = made(1);
  c2f::save_weights(one, file.path);
  REQUIRE(c2f::data::read_safetensors(file.path).metadata == std::map<std::string, std::string>{{"format", "pt"}});
  tensors const held = file.held();
  REQUIRE(same(held, copies_of(one)));
  for (char const* const name : {"conv1.weight", "bn1.weight", "bn1.running_var", "bn1.num_batches_tracked", "layer1.0.conv1.weight",
                                 "layer3.0.bn2.bias", "fc.weight", "fc.bias"})
    REQUIRE(held.contains(name));

  net two = made(2);
  REQUIRE_FALSE(same(copies_of(two), copies_of(one)));
  auto const report = c2f::load_weights(two, file.path);
  REQUIRE(same(copies_of(two), copies_of(one)));
  REQUIRE(report.matched.size() == held.size());
  REQUIRE(report.missing.size() + report.unexpected.size() + report.unfit.size() + report.widened.size() + report.converted.size() == 0);
}

TEST_CASE("loading writes into the existing tensors") {
  scratch const file;
  c2f::save_weights(made(1), file.path);
  net two = made(2);
  c2f::to_channels_last(two);
  at::Tensor const weight = two.layer1.first.conv1.weight.tensor(), norm = two.bn1.running_mean.tensor();
  c2f::load_weights(two, file.path);
  REQUIRE(two.layer1.first.conv1.weight.tensor().is_same(weight));
  REQUIRE(weight.is_contiguous(at::MemoryFormat::ChannelsLast));
  REQUIRE_FALSE(weight.is_contiguous());
  REQUIRE(weight.requires_grad());
  REQUIRE(weight.is_leaf());
  REQUIRE_FALSE(norm.requires_grad());
  REQUIRE(weight.equal(file.held().at("layer1.0.conv1.weight")));
  scratch const again;
  c2f::save_weights(two, again.path);  // row-major again
  REQUIRE(same(again.held(), copies_of(made(1))));
}

TEST_CASE("names and shapes that differ are refused, and partial loading reports them") {
  tensors given = copies_of(made(1));
  given.erase("fc.bias");
  given.erase("layer2.0.bn1.weight");
  given["head.weight"]  = at::ones({2});
  given["conv1.weight"] = at::ones({16, 4, 3, 3});
  scratch const file(given);
  net two = made(2);
  tests::require_message(refusal(two, file.path),
                         {"the weights in '" + file.path.string() + "' are not those of this network",
                          "2 missing in the file, first 'layer2.0.bn1.weight'", "1 unknown to the network, first 'head.weight'",
                          "1 unfit, first 'conv1.weight' (Float [16, 4, 3, 3] in the file, Float [16, 3, 3, 3] in the network)"});
  tensors const before = copies_of(two);
  auto const report    = c2f::load_weights(two, file.path, {.partial = true});
  REQUIRE(report.missing == names{"layer2.0.bn1.weight", "fc.bias"});
  REQUIRE(report.unexpected == names{"head.weight"});
  REQUIRE(report.unfit == names{"conv1.weight"});
  REQUIRE(report.matched.size() == before.size() - 3);
  tensors wanted = copies_of(made(1));
  for (char const* const kept : {"fc.bias", "layer2.0.bn1.weight", "conv1.weight"}) wanted[kept] = before.at(kept);
  REQUIRE(same(copies_of(two), wanted));

  // Each one alone is an error.
  for (int what = 0; what < 3; ++what) {
    tensors one = copies_of(made(1));
    if (what == 0) one.erase("fc.bias");
    if (what == 1) one["head.weight"] = at::ones({2});
    if (what == 2) one["fc.bias"] = at::ones({5});
    scratch const other(one);
    refusal(two, other.path);
  }
  // Nothing in common is an error in any case.
  scratch const nothing({{"a", at::ones({1})}});
  tests::require_message(refusal(two, nothing.path, {.partial = true}), {"0 fit", "unknown to the network, first 'a'"});
  tests::require_message(refusal(two, "/nonexistent/x.safetensors"), {"no file '/nonexistent/x.safetensors'"});
}

TEST_CASE("prefixes choose a part of the file and a part of the network") {
  net const one = made(1);
  scratch const wrapped;
  c2f::save_weights(one, wrapped.path, {.from = "module."});
  REQUIRE(wrapped.held().contains("module.fc.bias"));
  net two = made(2);
  refusal(two, wrapped.path);
  c2f::load_weights(two, wrapped.path, {.from = "module."});
  REQUIRE(same(copies_of(two), copies_of(one)));

  struct task {
    using input   = rgb;
    using network = small;
    using refine  = c2f::refine::no_fine_network;
  };
  c2f::stack<task> model(3);
  c2f::load_weights(model, wrapped.path, {.from = "module.", .into = "coarse."});
  REQUIRE(same(copies_of(model.coarse), copies_of(one)));
  scratch const part;
  c2f::save_weights(model, part.path, {.into = "coarse."});
  REQUIRE(same(part.held(), copies_of(one)));
  // One part of a file that has everything.
  scratch const whole;
  c2f::save_weights(model, whole.path);
  net three = made(4);
  c2f::load_weights(three, whole.path, {.from = "coarse."});
  REQUIRE(same(copies_of(three), copies_of(one)));
}

TEST_CASE("a table renames prefixes of the file, when loading and saving") {
  net const one = made(1);
  c2f::weights_options const names{.rename = {{"head.", "fc."}, {"old.weight", "conv1.weight"}, {"head.bias", "never"}}};
  scratch const file;
  c2f::save_weights(one, file.path, names);
  REQUIRE((file.held().contains("head.bias") && file.held().contains("old.weight") && !file.held().contains("fc.bias")));
  net two = made(2);
  refusal(two, file.path);
  c2f::load_weights(two, file.path, names);  // the first that fits: head.bias is fc.bias
  REQUIRE(same(copies_of(two), copies_of(one)));
  scratch const plain;  // a file that has the network's names is loaded by the table, too
  c2f::save_weights(one, plain.path);
  net three = made(3);
  c2f::load_weights(three, plain.path, names);
  REQUIRE(same(copies_of(three), copies_of(one)));
}

TEST_CASE("a table that gives two tensors one name is refused, when loading and saving") {
  net one = made(1);
  scratch const file;
  auto const refused = [](auto const& call) {
    try {
      call();
    } catch (c2f::input_error const& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  std::string const saved = refused([&] { c2f::save_weights(one, file.path, {.rename = {{"bn1.weight", "bn1.bias"}}}); });
  REQUIRE(saved == "weights_options.rename gives two tensors the name 'bn1.weight'; write prefixes that keep their names apart");
  REQUIRE_FALSE(std::filesystem::exists(file.path));
  c2f::save_weights(one, file.path);
  auto const before        = copies_of(one);
  std::string const loaded = refused([&] { c2f::load_weights(one, file.path, {.partial = true, .rename = {{"bn1.bias", "bn1.weight"}}}); });
  REQUIRE(loaded.starts_with("weights_options.rename gives two tensors the name 'bn1.weight'"));
  REQUIRE(same(copies_of(one), before));
}

TEST_CASE("excluded tensors keep their values, when loading and saving") {
  tensors given      = copies_of(made(1));
  given["fc.weight"] = at::ones({1000, 64});
  given["fc.more"]   = at::ones({1});
  scratch const file(given);
  net two              = made(2);
  tensors const before = copies_of(two);
  auto const report    = c2f::load_weights(two, file.path, {.without = {"fc."}});
  REQUIRE(report.matched.size() == before.size() - 2);
  tensors wanted = copies_of(made(1));
  for (char const* const kept : {"fc.bias", "fc.weight"}) wanted[kept] = before.at(kept);
  REQUIRE(same(copies_of(two), wanted));
  scratch const out;
  c2f::save_weights(two, out.path, {.without = {"fc.", "layer"}});
  REQUIRE(out.held().size() == 6);
}

TEST_CASE("num_batches_tracked is neither missing nor unexpected") {
  tensors given = copies_of(made(1));
  for (auto at = given.begin(); at != given.end();) at = at->first.ends_with("num_batches_tracked") ? given.erase(at) : std::next(at);
  REQUIRE(given.size() < copies_of(made(1)).size());
  scratch const old(given);
  net two = made(2);
  two.bn1.num_batches_tracked.increment();
  REQUIRE(c2f::load_weights(two, old.path).missing.empty());
  REQUIRE(two.bn1.num_batches_tracked.tensor().item<std::int64_t>() == 1);
  given["bn1.num_batches_tracked"] = at::full({}, 41, at::kLong);
  given["fc.num_batches_tracked"]  = at::full({}, 7, at::kLong);
  scratch const other(given);
  REQUIRE(c2f::load_weights(two, other.path).unexpected.empty());
  REQUIRE(two.bn1.num_batches_tracked.tensor().item<std::int64_t>() == 41);
  given["fc.mynum_batches_tracked"] = at::full({}, 7, at::kLong);
  scratch const third(given);
  tests::require_message(refusal(two, third.path), {"1 unknown to the network, first 'fc.mynum_batches_tracked'"});
}

TEST_CASE("floating point numbers of another type are converted, whole numbers are not") {
  tensors given             = copies_of(made(1));
  given["conv1.weight"]     = given["conv1.weight"].to(at::kDouble).add(1e-12);
  given["fc.bias"]          = at::full({4}, 1.00390625, at::kFloat).to(at::kHalf);  // 1 + 2^-8
  given["bn1.running_mean"] = at::full({16}, 1.00390625, at::kFloat).to(at::kBFloat16);
  given["bn1.running_var"]  = at::full({16}, 1.5, at::kFloat).to(at::ScalarType::Float8_e4m3fn);
  scratch const file(given);
  net two           = made(2);
  auto const report = c2f::load_weights(two, file.path);
  REQUIRE(report.converted == names{"conv1.weight", "bn1.running_mean", "bn1.running_var", "fc.bias"});
  REQUIRE(two.conv1.weight.tensor().equal(made(1).conv1.weight.tensor()));
  REQUIRE(two.conv1.weight.tensor().scalar_type() == at::kFloat);
  REQUIRE(two.fc.bias.tensor().equal(at::full({4}, 1.00390625)));
  REQUIRE(two.bn1.running_mean.tensor().equal(at::ones({16})));  // bfloat16 has 8 bits: ties round to even
  REQUIRE(two.bn1.running_var.tensor().equal(at::full({16}, 1.5)));

  given["fc.bias"] = at::ones({4}, at::kLong);
  scratch const whole(given);
  tests::require_message(refusal(two, whole.path), {"1 unfit, first 'fc.bias' (Long [4] in the file, Float [4] in the network)"});
  given["fc.bias"]                 = at::ones({4});
  given["bn1.num_batches_tracked"] = at::ones({});
  scratch const count(given);
  tests::require_message(refusal(two, count.path), {"first 'bn1.num_batches_tracked' (Float [] in the file, Long [] in the network)"});
}

TEST_CASE("a first layer of twice the channels") {
  scratch const file;
  net const one = made(1);
  c2f::save_weights(one, file.path);
  auto fine = c2f::make_network<small, c2f::image<6, 8, 8>>(2);
  tests::require_message(
      refusal(fine, file.path),
      {"1 unfit, first 'conv1.weight' (Float [16, 3, 3, 3] in the file, Float [16, 6, 3, 3] in the network, which 'widen' can fill)"});
  REQUIRE(c2f::load_weights(fine, file.path, {.partial = true}).unfit == names{"conv1.weight"});

  at::Tensor const x = at::rand({2, 3, 8, 8}), z = at::rand({2, 3, 8, 8}), weight = one.conv1.weight.tensor().detach();
  fine           = c2f::make_network<small, c2f::image<6, 8, 8>>(2);
  at::Tensor own = fine.conv1.weight.tensor();
  auto report    = c2f::load_weights(fine, file.path, {.widen = widening::zero});
  REQUIRE(report.widened == names{"conv1.weight"});
  REQUIRE(report.matched.size() == copies_of(one).size());
  REQUIRE(own.is_same(fine.conv1.weight.tensor()));
  REQUIRE(own.detach().equal(at::cat({weight, at::zeros_like(weight)}, 1)));
  at::Tensor const wanted = one(x, c2f::eval);
  REQUIRE((fine(at::cat({x, z}, 1), c2f::eval) - wanted).abs().max().item<float>() < 1e-5);

  c2f::to_channels_last(fine);
  c2f::load_weights(fine, file.path, {.widen = widening::copy});
  REQUIRE(fine.conv1.weight.tensor().detach().equal(at::cat({weight, weight}, 1).mul(0.5)));
  REQUIRE((fine(at::cat({x, x}, 1), c2f::eval) - wanted).abs().max().item<float>() < 1e-5);
  REQUIRE((fine(at::cat({x, z}, 1), c2f::eval) - wanted).abs().max().item<float>() > 1e-5);

  // Three channels of four are not half, and another kernel size does not match.
  tensors given         = copies_of(one);
  given["conv1.weight"] = at::ones({16, 3, 5, 5});
  scratch const other(given);
  tests::require_message(refusal(fine, other.path, {.widen = widening::zero}), {"first 'conv1.weight'"});
  auto four = c2f::make_network<small, c2f::image<4, 8, 8>>(2);
  tests::require_message(refusal(four, file.path, {.widen = widening::copy}), {"first 'conv1.weight'"});
}

namespace {
struct module : torch::nn::Cloneable<module> {
  std::int64_t channels;
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
  explicit module(std::int64_t in) : channels(in) { module::reset(); }
  void reset() override {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, 4, 3)));
    norm = register_module("norm", torch::nn::BatchNorm2d(4));
  }
  torch::Tensor forward(torch::Tensor const& x) { return norm(conv(x)).mean({2, 3}); }
};
}  // namespace

TEST_CASE("a network made of a torch::nn::Module has its module's names") {
  using network  = c2f::torch_network<module, c2f::class_vector<4>>;
  auto const one = c2f::make_network<network, rgb>(1);
  auto two       = c2f::make_network<network, rgb>(2);
  scratch const file;
  c2f::save_weights(one, file.path);
  REQUIRE(file.held().size() == 7);
  REQUIRE(file.held().contains("norm.num_batches_tracked"));
  at::Tensor const weight = two.module().conv->weight;
  REQUIRE(c2f::load_weights(two, file.path).matched.size() == 7);
  REQUIRE(same(copies_of(two), copies_of(one)));
  REQUIRE(weight.equal(one.module().conv->weight));
  auto wide = c2f::make_network<network, c2f::image<6, 8, 8>>(2);
  refusal(wide, file.path);
  REQUIRE(c2f::load_weights(wide, file.path, {.widen = widening::zero}).widened == names{"conv.weight"});
  REQUIRE(wide.module().conv->weight.detach().narrow(1, 0, 3).equal(one.module().conv->weight));

  // as_module shares the tensors.
  auto const handed = c2f::as_module(made(1));
  scratch const again;
  c2f::save_weights(handed->network(), again.path);
  REQUIRE(same(again.held(), copies_of(made(1))));
}

TEST_CASE("a damaged file changes nothing") {
  scratch const file;
  c2f::save_weights(made(1), file.path);
  std::filesystem::resize_file(file.path, std::filesystem::file_size(file.path) - 1);
  net two = made(2);
  tests::require_message(refusal(two, file.path), {"cannot be read as a safetensors file"});
}
