// c2f/conformance.hpp: checks that a user-defined part obeys the laws that c2f's parts obey.
//
//   auto const report = c2f::conformance<my_encoder>();                 // or an architecture, a source, a fuse, a combine, a schedule
//   if (!report) for (auto const& law : report.broken()) std::puts(law.c_str());
//
//   c2f::conformance<my_network, c2f::image<3, 64, 64>>();              // on another shape
//   c2f::conformance<my_encoder, c2f::image<3, 16, 16>, c2f::class_vector<7>>();
//
// Laws: outputs have the declared shapes; inference is deterministic and changes no parameter or buffer; a sample's output does not depend
// on the other samples of the batch; initial values are a function of the seed; copies are independent; every parameter gets a finite
// gradient that agrees with a central difference in double precision. Takes a few milliseconds.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/parts/encode_tile.hpp>
#include <c2f/task/stack.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/core/grad_mode.h>

#include <string>
#include <vector>

namespace c2f {

/// The result of a check: true if all laws hold.
class conformance_report {
 public:
  explicit operator bool() const { return broken_.empty(); }
  /// The laws that do not hold, each with the value found.
  [[nodiscard]] std::vector<std::string> const& broken() const { return broken_; }
  /// How many laws were checked.
  [[nodiscard]] int laws() const { return laws_; }
  /// Adds a law; `what`: the law and the value found.
  void law(bool holds, std::string what) {
    ++laws_;
    if (!holds) broken_.push_back(std::move(what));
  }

 private:
  int laws_ = 0;
  std::vector<std::string> broken_;
};

namespace detail {

/// Numbers from -1 to 1, the same in every run.
inline at::Tensor sample_numbers(std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  at::Tensor tensor = at::empty(dims, at::TensorOptions().dtype(at::kDouble));
  random_stream random(seed, purpose::synthesis, 0, 0);
  double* const numbers = tensor.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) numbers[i] = 2 * random.uniform() - 1;
  return tensor;
}

template <class S>
std::vector<std::int64_t> sample_dims(std::int64_t batch) {
  if constexpr (image_shape<S>)
    return {batch, S::channels, S::height == dynamic ? 16 : S::height, S::width == dynamic ? 16 : S::width};
  else
    return {batch, S::channels};
}

template <class S>
bool has_shape(at::Tensor const& tensor, std::int64_t batch) {
  auto const wanted = sample_dims<S>(batch);
  return tensor.sizes() == at::IntArrayRef(wanted);
}

template <class Net>
void to_double(Net& net) {
  for_each_tensor(net, [](std::string const&, state_tensor& each, state_traits const& traits) {
    if (each.tensor().is_floating_point()) each.assign(each.tensor().detach().to(at::kDouble).set_requires_grad(traits.trained));
  });
}

template <class Net>
std::vector<at::Tensor> copies_of_tensors(Net const& net) {
  std::vector<at::Tensor> copies;
  for_each_tensor(
      net, [&](std::string const&, state_tensor const& each, state_traits const&) { copies.push_back(each.tensor().detach().clone()); });
  return copies;
}

inline bool equal_bits(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) equal = a[i].equal(b[i]);
  return equal;
}

/// The laws of anything that owns parameters: `call(net, type)` evaluates it on a fixed batch of element type `type`.
template <class Net, class Call>
void laws_of_parameters(conformance_report& report, Call const& call) {
  Net net, again, other;
  initialize(net, 1, "law");
  initialize(again, 1, "law");
  initialize(other, 2, "law");
  auto const before = copies_of_tensors(net);
  report.law(equal_bits(before, copies_of_tensors(again)),
             "initial values are a function of the seed, but the same seed gave two different networks");

  if constexpr (parameter_count_known<Net>) {
    report.law(parameter_count<Net> == c2f::count_parameters(net), "parameter_count is " + std::to_string(parameter_count<Net>) +
                                                                       ", but the network has " +
                                                                       std::to_string(c2f::count_parameters(net)));
  }
  {
    at::NoGradGuard const no_gradients;
    report.law(call(net, at::kFloat).equal(call(net, at::kFloat)), "inference is a function, but two calls gave different numbers");
    report.law(equal_bits(before, copies_of_tensors(net)), "inference changes nothing, but a parameter or buffer changed");
  }
  Net copy = net;
  for_each_tensor(copy, [](std::string const&, state_tensor& each, state_traits const&) {
    at::NoGradGuard const no_gradients;
    each.tensor().zero_();
  });
  report.law(equal_bits(before, copies_of_tensors(net)), "copies are independent, but changing a copy changed the original");

  // Gradients, in double: a central difference in float is too coarse.
  to_double(net);
  at::Tensor const out       = call(net, at::kDouble);
  at::Tensor const direction = sample_numbers(out.sizes().vec(), 5);
  if (parameters(net).empty()) return;
  report.law(out.requires_grad(), "parameters are trained, but the output has no gradient with respect to any of them");
  if (!out.requires_grad()) return;
  out.mul(direction).sum().backward();
  for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const& traits) {
    if (!traits.trained) return;
    at::Tensor const gradient = each.tensor().grad();
    bool const finite         = gradient.defined() && gradient.isfinite().all().template item<bool>();
    report.law(finite, "every parameter gets a finite gradient, but '" + path + "' got " +
                           (gradient.defined() ? "one that is not finite" : "none"));
    if (!finite) return;
    at::NoGradGuard const no_gradients;
    at::Tensor const value = each.tensor(),
                     step  = sample_numbers(value.sizes().vec(), 9).mul(1e-8);  // so small that few activations cross the kink of ReLU
    auto const scalar      = [&] { return call(net, at::kDouble).mul(direction).sum().template item<double>(); };
    value.add_(step);
    double const up = scalar();
    value.sub_(step, 2);
    double const down = scalar();
    value.add_(step);
    double const found = gradient.mul(step).sum().template item<double>(), wanted = (up - down) / 2;
    double const scale = gradient.abs().mul(step.abs()).sum().template item<double>() + 1e-12;
    report.law(std::abs(found - wanted) <= 1e-3 * scale, "a gradient is the derivative, but along a direction of '" + path + "' it is " +
                                                             std::to_string(found / 1e-8) + " and the central difference gives " +
                                                             std::to_string(wanted / 1e-8));
  });
}

/// A sample's output does not depend on the other samples of the batch.
template <class Call>
void law_of_samples(conformance_report& report, Call const& call, std::vector<at::Tensor> const& inputs) {
  at::NoGradGuard const no_gradients;
  at::Tensor const all = call(inputs);
  std::vector<at::Tensor> one;
  for (auto const& input : inputs) one.push_back(input.narrow(0, 1, 1));
  report.law(at::allclose(all.narrow(0, 1, 1), call(one), 1e-4, 1e-5),
             "a sample's output does not depend on the other samples of the batch, but it changed without them");
}

template <class A, class In>
void laws_of_architecture(conformance_report& report) {
  using net_type     = network_on<A, In>;
  using out          = typename net_type::output;
  at::Tensor const x = sample_numbers(sample_dims<In>(3), 1).to(at::kFloat);
  auto const net     = make_network<A, In>(1);
  for (mode const m : {eval, train}) {
    at::Tensor const y = net(x, m);
    report.law(has_shape<out>(y, 3),
               "the output has the declared shape, but it is " + dims_of(y) + (m == train ? " in training" : " at inference"));
  }
  auto const fresh = make_network<A, In>(1);  // training has changed the running statistics of net
  law_of_samples(report, [&](std::vector<at::Tensor> const& in) { return fresh(in[0], eval); }, {x});
  laws_of_parameters<net_type>(report, [&](net_type const& each, at::ScalarType type) { return each(x.to(type), eval); });
}

template <class E, class Like, class Kind>
void laws_of_encoder(conformance_report& report) {
  using g_type         = typename E::template on<Kind, Like>;
  using z_shape        = typename g_type::output;
  at::Tensor const x   = sample_numbers(sample_dims<Like>(3), 1).to(at::kFloat);
  at::Tensor const raw = sample_numbers(sample_dims<typename Kind::template output<Like>>(3), 2).to(at::kFloat).mul(3);
  at::Tensor const y   = Kind::predict(raw);
  g_type g;
  initialize(g, 1);
  auto const call = [](g_type const& with, at::Tensor const& prediction, at::Tensor const& image) {
    pass p{.mode = eval};
    return with(prediction, image, p);
  };
  at::Tensor const z = call(g, y, x);
  if constexpr (!shape<z_shape>) {
    report.law(!z.defined(), "the encoder declares no map, but gave one");
  } else {
    report.law(has_shape<z_shape>(z, 3), "z has the declared shape, but it is " + dims_of(z));
    if (!has_shape<z_shape>(z, 3)) return;
    report.law(z.isfinite().all().template item<bool>(), "z is finite, but it contains a number that is not");
    report.law(!z.equal(call(g, Kind::predict(raw.neg()), x)), "z depends on the prediction, but two predictions gave the same z");
    law_of_samples(report, [&](std::vector<at::Tensor> const& in) { return call(g, in[0], in[1]); }, {y, x});
    if constexpr (!requires { requires !E::differentiable; }) {
      at::Tensor const y_leaf = y.detach().set_requires_grad(true);
      at::Tensor const sum    = call(g, y_leaf, x).sum();
      bool const reaches      = sum.requires_grad() && (sum.backward(), y_leaf.grad().defined());
      report.law(reaches,
                 "a gradient reaches the prediction, but none did; write 'static constexpr bool differentiable = false;' in the encoder if "
                 "that is meant");
    }
    laws_of_parameters<g_type>(report, [&](g_type const& each, at::ScalarType type) { return call(each, y.to(type), x.to(type)); });
  }
}

template <class S, class Kind>
void laws_of_source(conformance_report& report) {
  using s_type = typename S::template on<Kind>;
  s_type source;
  initialize(source, 1);
  constexpr std::int64_t batch = 64;
  at::Tensor const prediction =
      Kind::predict(sample_numbers(sample_dims<typename Kind::template output<image<3, 16, 16>>>(batch), 3).to(at::kFloat));
  at::Tensor const labels = Kind::template example<image<3, 16, 16>>(batch);
  at::Tensor const truth  = Kind::from_truth(labels);
  std::vector<std::int64_t> ids(batch);
  for (std::int64_t i = 0; i < batch; ++i) ids[static_cast<std::size_t>(i)] = 1000 + i;
  auto const call = [&](double t, std::int64_t from, std::int64_t count) {
    pass p{.mode  = train,
           .truth = labels.narrow(0, from, count),
           .t     = t,
           .seed  = 1,
           .epoch = 2,
           .ids   = std::span(ids).subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(count))};
    return source(prediction.narrow(0, from, count), truth.narrow(0, from, count), p).to(at::kFloat);
  };
  for (double const t : {0.0, 0.5, 1.0}) {
    at::Tensor const all = call(t, 0, batch);
    report.law(all.sizes() == prediction.sizes(), "the conditioning has the shape of a prediction, but it is " + dims_of(all));
    if (all.sizes() != prediction.sizes()) return;
    report.law(all.equal(call(t, 0, batch)), "a source is a function of (seed, epoch, sample id), but two calls gave different results");
    report.law(all.narrow(0, 7, 5).equal(call(t, 7, 5)),
               "a source is a function of (seed, epoch, sample id), but its result for a sample changed with the batch");
  }
}

template <class S>
void laws_of_schedule(conformance_report& report) {
  constexpr schedule_fault fault = fault_of<S>();
  report.law(fault != schedule_fault::leaves_range, "t stays in [0, 1], but the schedule leaves it");
  report.law(fault != schedule_fault::falls, "t never falls, but the schedule does");
  report.law(fault != schedule_fault::never_one, "t ends at 1, but the schedule never reaches it");
}

template <class F, class X>
void laws_of_fuse(conformance_report& report) {
  using f_type       = typename F::template on<X, X>;
  at::Tensor const x = sample_numbers(sample_dims<X>(3), 1).to(at::kFloat), z = sample_numbers(sample_dims<X>(3), 2).to(at::kFloat);
  f_type fuse;
  initialize(fuse, 1);
  auto const call = [](f_type const& with, at::Tensor const& image, at::Tensor const& map) {
    pass p{.mode = eval};
    return with(image, map, p);
  };
  report.law(has_shape<typename f_type::output>(call(fuse, x, z), 3),
             "the output has the declared shape, but it is " + dims_of(call(fuse, x, z)));
  law_of_samples(report, [&](std::vector<at::Tensor> const& in) { return call(fuse, in[0], in[1]); }, {x, z});
  laws_of_parameters<f_type>(report, [&](f_type const& each, at::ScalarType type) { return call(each, x.to(type), z.to(type)); });
}

template <class C, class F, class Kind>
void laws_of_combine(conformance_report& report) {
  using c_type            = typename C::template on<Kind, F>;
  using out               = typename Kind::template output<image<3, 16, 16>>;
  at::Tensor const f      = sample_numbers(sample_dims<F>(3), 1).to(at::kFloat);
  at::Tensor const coarse = sample_numbers(sample_dims<out>(3), 2).to(at::kFloat),
                   fine   = sample_numbers(sample_dims<out>(3), 3).to(at::kFloat);
  c_type both;
  initialize(both, 1);
  auto const call = [](c_type const& with, at::Tensor const& features, at::Tensor const& yc, at::Tensor const& yf) {
    pass p{.mode = eval};
    return with(features, yc, yf, p).answer;
  };
  report.law(call(both, f, coarse, fine).sizes() == coarse.sizes(),
             "the combined output has the shape of both outputs, but it is " + dims_of(call(both, f, coarse, fine)));
  law_of_samples(report, [&](std::vector<at::Tensor> const& in) { return call(both, in[0], in[1], in[2]); }, {f, coarse, fine});
  laws_of_parameters<c_type>(
      report, [&](c_type const& each, at::ScalarType type) { return call(each, f.to(type), coarse.to(type), fine.to(type)); });
}

}  // namespace detail

/// Checks the laws of `Part`: a schedule, an encoder, a source, a fuse, a combine or an architecture, on inputs of shape `Like`.
/// Error: a type that is none of these is a compile error.
template <class Part, shape Like = image<3, 16, 16>, output_kind Kind = class_vector<10>>
[[nodiscard]] conformance_report conformance() {
  conformance_report report;
  if constexpr (schedule_of_t<Part>) {
    detail::laws_of_schedule<Part>(report);
  } else if constexpr (encoder_on<Part, Kind, Like>) {
    detail::laws_of_encoder<Part, Like, Kind>(report);
  } else if constexpr (source_on<Part, Kind>) {
    detail::laws_of_source<Part, Kind>(report);
  } else if constexpr (fuse_on<Part, Like, Like>) {
    detail::laws_of_fuse<Part, Like>(report);
  } else if constexpr (combine_on<Part, Kind, Like>) {
    detail::laws_of_combine<Part, Like, Kind>(report);
  } else {
    static_assert(architecture_on<Part, Like>,
                  "c2f::conformance knows no laws for this type; give it a schedule, an encoder, a source, a fuse, a combine or an "
                  "architecture that fits the shape (the second argument)");
    if constexpr (architecture_on<Part, Like>) detail::laws_of_architecture<Part, Like>(report);
  }
  return report;
}

}  // namespace c2f
