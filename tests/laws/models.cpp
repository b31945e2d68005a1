// Models satisfy the laws of models, and each law is broken by a model that violates it.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/unet.hpp>
#include <c2f/systems/rstn.hpp>

#include <ATen/ops/randn.h>

#include "catch.hpp"
#include "reliability/tiny.hpp"

namespace {

using image   = c2f::image<3, 8, 8>;
using classes = c2f::class_vector<3>;
using net     = c2f::predicts<classes, c2f::conv<6, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<3>>;

std::string broken_laws(c2f::conformance_report const& report) {
  std::string broken;
  for (auto const& law : report.broken()) broken += law + '\n';
  return broken;
}
template <class Model>
void keeps_its_laws() {
  auto const report = c2f::conformance<Model>();
  REQUIRE(broken_laws(report) == "");
  REQUIRE(report.laws() > 10);
}
/// That law is broken, and every broken law says the same.
template <class Model>
void breaks(std::string const& law) {
  auto const report = c2f::conformance<Model>();
  CAPTURE(law, broken_laws(report));
  REQUIRE(!report.broken().empty());
  for (auto const& each : report.broken()) REQUIRE(each.find(law) != std::string::npos);
}

/// A right model, from which the wrong ones differ by a member function.
template <class Self>
struct base {
  static constexpr char const* name = "model";
  using input                       = ::image;
  using kind                        = classes;
  c2f::network_on<net, input> first;
  C2F_MEMBERS(first);
  explicit base(std::uint64_t seed = 0) { c2f::initialize(*this, seed); }
  at::Tensor operator()(at::Tensor const& x, c2f::pass& p) const {
    auto const& self     = static_cast<Self const&>(*this);
    at::Tensor const raw = self.answer(x, p);
    if (p.training()) self.learn(raw, p);
    return raw;
  }
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const { return first(x, p.mode); }
  void learn(at::Tensor const& raw, c2f::pass& p) const { p.add("loss", kind::default_loss::of(raw, p.truth)); }
};
struct right : base<right> {
  using base::base;
};
struct noisy : base<noisy> {  // right: the noise is that of the sample
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    if (!p.training()) return first(x, p.mode);
    return first(x.add(p.uniform(c2f::user_purpose(1), x).to(at::kFloat).view({-1, 1, 1, 1})), p.mode);
  }
};

struct no_name : base<no_name> {
  static constexpr char const* name = "";
  using base::base;
};
struct other_seed : base<other_seed> {
  explicit other_seed(std::uint64_t = 0) {
    static std::uint64_t count = 0;
    c2f::initialize(*this, ++count);
  }
};
struct other_shape : base<other_shape> {
  using base::base;
  at::Tensor operator()(at::Tensor const& x, c2f::pass& p) const { return base::operator()(x, p).unsqueeze(2); }
};
struct random_inference : base<random_inference> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    at::Tensor const raw = first(x, p.mode);
    return p.training() ? raw : raw.add(at::randn({1}), 1e-9).mul(1).add(at::randn({1}).mul(1e-7));
  }
};
struct over_the_batch : base<over_the_batch> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    at::Tensor const raw = first(x, p.mode);
    return p.training() ? raw : raw.sub(raw.mean(0, true));
  }
};
struct inference_learns : base<inference_learns> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    at::Tensor raw = first(x, p.mode);
    at::NoGradGuard const none;
    if (!p.training()) std::get<3>(first.layers).bias.tensor().mul_(1.5).add_(0);
    if (!p.training()) std::get<0>(first.layers).weight.tensor().neg_();
    return raw;
  }
};
struct inference_needs_truth : base<inference_needs_truth> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    at::Tensor const raw = first(x, p.mode);
    if (!p.training()) p.add("loss", kind::default_loss::of(raw, p.truth));
    return raw;
  }
};
struct wrong_scored : base<wrong_scored> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    at::Tensor const raw = first(x, p.mode);
    if (!p.training()) p.add_scored_output("view", raw.sum(1));
    return raw;
  }
};
struct no_loss : base<no_loss> {
  using base::base;
  void learn(at::Tensor const&, c2f::pass&) const {}
};
struct loss_of_rows : base<loss_of_rows> {
  using base::base;
  void learn(at::Tensor const& raw, c2f::pass& p) const { p.add("loss", raw.square().sum(1)); }
};
struct infinite_loss : base<infinite_loss> {
  using base::base;
  void learn(at::Tensor const& raw, c2f::pass& p) const {
    base::learn(raw, p);
    p.add("other", raw.detach().sum().mul(0).log());
  }
};
struct loss_that_comes_and_goes : base<loss_that_comes_and_goes> {
  using base::base;
  void learn(at::Tensor const& raw, c2f::pass& p) const {
    base::learn(raw, p);
    if (p.t < 0.5) p.add("truth", raw.square().mean());
  }
};
struct loss_of_another_name : base<loss_of_another_name> {
  using base::base;
  void learn(at::Tensor const& raw, c2f::pass& p) const { p.add(p.epoch == 2 ? "two" : "other", kind::default_loss::of(raw, p.truth)); }
};
struct parameter_without_gradient : base<parameter_without_gradient> {
  c2f::parameter<c2f::initial::ones, 1> unused;
  C2F_MEMBERS(first, unused);
  explicit parameter_without_gradient(std::uint64_t seed = 0) { c2f::initialize(*this, seed); }
};
struct global_random : base<global_random> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    return first(p.training() ? x.add(at::randn({1, 1, 1, 1}), 1e-3) : x, p.mode);
  }
};
struct random_by_row : base<random_by_row> {
  using base::base;
  at::Tensor answer(at::Tensor const& x, c2f::pass& p) const {
    if (!p.training()) return first(x, p.mode);
    c2f::pass rows{.seed = p.seed, .epoch = p.epoch};  // without ids
    return first(x.add(rows.uniform(c2f::user_purpose(1), x).to(at::kFloat).view({-1, 1, 1, 1})), p.mode);
  }
};
struct rows_with_roles : random_by_row {
  static constexpr std::int64_t ordered_rows = 6;
  using random_by_row::random_by_row;
  at::Tensor operator()(at::Tensor const& x, c2f::pass& p) const {
    if (p.training()) REQUIRE(x.size(0) == 6);
    return random_by_row::operator()(x, p);
  }
};
/// Two models that learn through one tensor.
struct shared_copies : base<shared_copies> {
  using base::base;
  at::Tensor count = at::zeros({1});
  c2f::buffer<c2f::initial::zeros, 1> seen;
  C2F_MEMBERS(first, seen);
  explicit shared_copies(std::uint64_t seed = 0) {
    c2f::initialize(*this, seed);
    seen.assign(count);
  }
  shared_copies(shared_copies const& other) : base(other), count(other.count) { seen.assign(count); }
  shared_copies& operator=(shared_copies const&) = default;
  void learn(at::Tensor const& raw, c2f::pass& p) const {
    base::learn(raw, p);
    at::Tensor(count).add_(1);
  }
};

struct pair {
  static constexpr char const* name = "pair";
  using input                       = ::image;
  using network                     = net;
};
struct stage {
  using network = net;
};
struct three {
  static constexpr char const* name = "three";
  using input                       = ::image;
  using network                     = c2f::coarse_fine<c2f::stack<stage>, net>;
};
struct gated : pair {
  using combine = c2f::combine::gate<>;
};

}  // namespace

TEST_CASE("models satisfy the laws of models") {
  keeps_its_laws<right>();
  keeps_its_laws<noisy>();
  keeps_its_laws<rows_with_roles>();
}

TEST_CASE("stacks satisfy the laws of models") {
  keeps_its_laws<c2f::stack<pair>>();
  keeps_its_laws<c2f::stack<three>>();
  keeps_its_laws<c2f::stack<tiny::class_vector>>();
  keeps_its_laws<c2f::stack<tiny::boxes>>();
  keeps_its_laws<c2f::stack<tiny::dense>>();
}

TEST_CASE("each law of models is broken by a model that violates it") {
  breaks<no_name>("a model has a name");
  breaks<other_seed>("initial values are a function of the seed");
  breaks<other_shape>("the answer has the output shape of the kind");
  breaks<random_inference>("inference is a function");
  breaks<over_the_batch>("does not depend on the other samples");
  breaks<inference_needs_truth>("can be called with its inputs alone");
  breaks<wrong_scored>("a scored output has the output shape of the kind");
  breaks<no_loss>("a training pass adds a loss");
  breaks<loss_of_rows>("a loss is a scalar");
  breaks<infinite_loss>("losses are finite");
  breaks<loss_that_comes_and_goes>("every pass adds the same losses");
  breaks<loss_of_another_name>("every pass adds the same losses");
  breaks<parameter_without_gradient>("every parameter gets a finite gradient from pass::loss(), but 'unused' got none");
  breaks<global_random>("a pass is a function of (seed, epoch, sample ids)");
  breaks<random_by_row>("the order of a batch does not matter");
  breaks<shared_copies>("copies are independent");
  auto const report = c2f::conformance<inference_learns>();
  REQUIRE(broken_laws(report).find("inference changes nothing") != std::string::npos);
}
