// c2f/conformance.hpp: checks that a user-defined part or model obeys the laws that c2f's own obey.
//
//   auto const report = c2f::conformance<my_encoder>();                 // or an architecture, a source, a fuse, a combine, a schedule
//   if (!report) for (auto const& law : report.broken()) std::puts(law.c_str());
//
//   c2f::conformance<my_network, c2f::image<3, 64, 64>>();              // on another shape, which may be several maps
//   c2f::conformance<my_encoder, c2f::image<3, 16, 16>, c2f::class_vector<7>>();
//   c2f::conformance<my_model>();                                       // a model, or c2f::stack<my_task>: on its own input and kind
//
// Laws of parts: outputs have the declared shapes; inference is deterministic and changes no parameter or buffer; a sample's output does
// not depend on the other samples of the batch; initial values are a function of the seed; copies are independent; every parameter gets a
// finite gradient that agrees with a central difference in double precision.
//
// Laws of models: the same for inference, without a truth; a training pass adds the same losses in every pass, scalars, finite, and a
// function of (seed, epoch, sample ids), so that the order of the batch does not matter; every parameter gets a gradient from pass::loss().
//
// What a part may declare:
//   reads_prediction = false     an encoder that makes z of the image or of side outputs
//   differentiable = false       an encoder through which no gradient reaches the prediction
//   ordered_rows = 64            a model on batches of 64 rows that have roles, such as those of streams (data/streams.hpp)
//   template <c2f::shape Like> static std::vector<c2f::side_output> example_outputs(std::int64_t n)
//                                side outputs for n samples, of a part that reads them; without it, check such a part within a stack
//
// Takes a few milliseconds, for a model a few passes of four images.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/parts/encode_tile.hpp>
#include <c2f/task/model.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <exception>
#include <string>
#include <string_view>
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
  auto wanted = sample_dims<S>(batch);
  if (tensor.dim() != static_cast<std::int64_t>(wanted.size())) return false;
  if constexpr (image_shape<S>) {
    if (S::height == dynamic) wanted[2] = tensor.size(2);
    if (S::width == dynamic) wanted[3] = tensor.size(3);
  }
  return tensor.sizes() == at::IntArrayRef(wanted);
}

// Values of one shape or of several: a tensor, or an array of tensors.
template <class S>
struct of_shape {
  static at::Tensor sample(std::int64_t batch, std::uint64_t seed) { return sample_numbers(sample_dims<S>(batch), seed).to(at::kFloat); }
  static bool fits(at::Tensor const& value, std::int64_t batch) { return has_shape<S>(value, batch); }
};
template <class... S>
struct of_shape<maps<S...>> {
  using value = std::array<at::Tensor, sizeof...(S)>;
  static value sample(std::int64_t batch, std::uint64_t seed) { return {of_shape<S>::sample(batch, seed++)...}; }
  static bool fits(value const& found, std::int64_t batch) {
    std::size_t i = 0;
    return (... && has_shape<S>(found[i++], batch));
  }
};
template <>
struct of_shape<no_map> {
  static at::Tensor sample(std::int64_t, std::uint64_t) { return {}; }
};
/// f of a tensor, or of each of an array.
template <class F>
at::Tensor each_of(at::Tensor const& value, F const& f) {
  return value.defined() ? f(value) : value;
}
template <std::size_t N, class F>
std::array<at::Tensor, N> each_of(std::array<at::Tensor, N> value, F const& f) {
  for (auto& each : value) each = f(each);
  return value;
}
template <class Value>
Value cast(Value const& value, at::ScalarType type) {
  return each_of(value, [&](at::Tensor const& each) { return each.to(type); });
}
/// Sample 1.
template <class Value>
Value second_of(Value const& value) {
  return each_of(value, [](at::Tensor const& each) { return each.narrow(0, 1, 1); });
}
/// An array as one tensor [N, all].
inline at::Tensor as_one(at::Tensor const& value) { return value; }
template <std::size_t N>
at::Tensor as_one(std::array<at::Tensor, N> const& value) {
  std::vector<at::Tensor> flat;
  for (auto const& each : value) flat.push_back(each.flatten(1));
  return at::cat(flat, 1);
}
inline std::string dims_of_value(at::Tensor const& value) { return dims_of(value); }
template <std::size_t N>
std::string dims_of_value(std::array<at::Tensor, N> const& value) {
  std::string text;
  for (auto const& each : value) text += (text.empty() ? "" : " and ") + dims_of(each);
  return text;
}

/// Truths of n samples: the kind's example, or else numbers in the form of a truth.
template <class Kind, class In>
at::Tensor example_truth(std::int64_t n) {
  if constexpr (requires { Kind::template example<In>(n); }) {
    return Kind::template example<In>(n);
  } else {
    std::vector<std::int64_t> dims{n};
    if constexpr (requires { Kind::template truth_dims<In>; })
      for (auto const size : Kind::template truth_dims<In>) dims.push_back(size);
    if constexpr (std::same_as<typename Kind::truth_value, float>)
      return sample_numbers(dims, 11).add(1).mul(0.5).to(at::kFloat);
    else
      return at::zeros(dims, at::TensorOptions(at::kLong));
  }
}
/// A prediction, given a raw output.
template <class Kind, class Raw>
Raw example_prediction(Raw const& raw) {
  if constexpr (supervised_kind<Kind>)
    return Kind::predict(raw);
  else
    return raw;
}

/// The side outputs that a part reads, for n samples.
template <class Part, class Like>
std::vector<side_output> example_outputs(std::int64_t n) {
  if constexpr (requires { Part::template example_outputs<Like>(n); })
    return Part::template example_outputs<Like>(n);
  else
    return {};
}
template <class F>
std::vector<side_output> each_output(std::vector<side_output> outputs, F const& f) {
  for (auto& each : outputs) each.value = f(each.value);
  return outputs;
}
/// Whether a part can be called as it is here; the law that it can.
template <class Call>
bool runs(conformance_report& report, Call const& call) {
  try {
    call();
    return true;
  } catch (std::exception const& failure) {
    std::string_view what = failure.what();
    report.law(false,
               "a part can be called with its inputs alone, but it failed: " + std::string(what.substr(0, what.find('\n'))) +
                   "; if it reads side outputs, give it example_outputs<Like>(n), or check it within c2f::conformance<c2f::stack<...>>");
    return false;
  }
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

/// A sample's output does not depend on the other samples of the batch: `all` of several samples, `alone` of sample 1. A fuse may give
/// several rows a sample.
inline void law_of_samples(conformance_report& report, at::Tensor const& all, at::Tensor const& alone) {
  bool const rows =
      all.dim() == alone.dim() && alone.size(0) > 0 && all.size(0) >= 2 * alone.size(0) && all.sizes().slice(1) == alone.sizes().slice(1);
  report.law(rows && at::allclose(all.narrow(0, alone.size(0), alone.size(0)), alone, 1e-4, 1e-5),
             "a sample's output does not depend on the other samples of the batch, but it changed without them");
}

template <class A, class In>
void laws_of_architecture(conformance_report& report) {
  using net_type = network_on<A, In>;
  using out      = of_shape<typename net_type::output>;
  auto const x   = of_shape<In>::sample(3, 1);
  auto const net = make_network<A, In>(1);
  for (mode const m : {eval, train}) {
    value_of<typename net_type::output> y;
    bool const ran = runs(report, [&] {
      pass p{.mode = m};
      y = m == train ? run(net, x, p) : net(x, m);
    });
    if (!ran) return;
    report.law(out::fits(y, 3),
               "the output has the declared shape, but it is " + dims_of_value(y) + (m == train ? " in training" : " at inference"));
    if (!out::fits(y, 3)) return;
  }
  auto const fresh = make_network<A, In>(1);  // training has changed the running statistics of net
  {
    at::NoGradGuard const no_gradients;
    value_of<typename net_type::output> const all = fresh(x, eval), alone = fresh(second_of(x), eval);
    law_of_samples(report, as_one(all), as_one(alone));
    if constexpr (wants_pass<net_type, value_of<In>>) {
      pass p{.mode = eval};
      value_of<typename net_type::output> const same = fresh(x, p);
      report.law(as_one(same).equal(as_one(all)), "a network gives the same with a pass as with a mode, but at inference they differ");
    }
  }
  laws_of_parameters<net_type>(report, [&](net_type const& each, at::ScalarType type) {
    value_of<typename net_type::output> const y = each(cast(x, type), eval);
    return as_one(y);
  });
}

template <class E, class Like, class Kind>
void laws_of_encoder(conformance_report& report) {
  using g_type         = typename E::template on<Kind, Like>;
  using z_shape        = typename g_type::output;
  using raw_value      = raw_of<Kind, Like>;
  using z_value        = typename value_of_map<z_shape>::type;
  constexpr bool reads = !requires { requires !E::reads_prediction; };
  auto const x         = of_shape<Like>::sample(3, 1);
  auto const raw =
      each_of(of_shape<typename Kind::template output<Like>>::sample(3, 2), [](at::Tensor const& each) { return each.mul(3); });
  raw_value const y  = example_prediction<Kind>(raw),
                  y2 = example_prediction<Kind>(each_of(raw, [](at::Tensor const& each) { return each.neg(); }));
  auto const outputs = example_outputs<E, Like>(3);
  g_type g;
  initialize(g, 1);
  auto const call = [&](g_type const& with, raw_value const& prediction, value_of<Like> const& image,
                        std::vector<side_output> const& side) -> z_value {
    pass p{.mode = eval, .outputs = side};
    if constexpr (std::same_as<raw_value, at::Tensor>) p.conditioning = prediction;
    return with(prediction, image, p);
  };
  if (!runs(report, [&] { call(g, y, x, outputs); })) return;
  z_value const z = call(g, y, x, outputs);
  if constexpr (!shape<z_shape>) {
    report.law(!z.defined(), "the encoder declares no map, but gave one");
  } else {
    report.law(of_shape<z_shape>::fits(z, 3), "z has the declared shape, but it is " + dims_of_value(z));
    if (!of_shape<z_shape>::fits(z, 3)) return;
    report.law(as_one(z).isfinite().all().template item<bool>(), "z is finite, but it contains a number that is not");
    report.law(
        !reads || !as_one(z).equal(as_one(call(g, y2, x, outputs))),
        "z depends on the prediction, but two predictions gave the same z; write 'static constexpr bool reads_prediction = false;' in "
        "the encoder if that is meant");
    {
      at::NoGradGuard const no_gradients;
      law_of_samples(
          report, as_one(z),
          as_one(call(g, second_of(y), second_of(x), each_output(outputs, [](at::Tensor const& each) { return each.narrow(0, 1, 1); }))));
    }
    if constexpr (reads && !requires { requires !E::differentiable; }) {
      raw_value const y_leaf = each_of(y, [](at::Tensor const& each) { return each.detach().set_requires_grad(true); });
      at::Tensor const sum   = as_one(call(g, y_leaf, x, outputs)).sum();
      bool reaches           = sum.requires_grad();
      if (reaches) {
        sum.backward();
        each_of(y_leaf, [&](at::Tensor const& each) {
          reaches = reaches && each.grad().defined();
          return each;
        });
      }
      report.law(reaches,
                 "a gradient reaches the prediction, but none did; write 'static constexpr bool differentiable = false;' in the encoder if "
                 "that is meant");
    }
    laws_of_parameters<g_type>(report, [&](g_type const& each, at::ScalarType type) {
      return as_one(call(each, cast(y, type), cast(x, type), each_output(outputs, [&](at::Tensor const& one) { return one.to(type); })));
    });
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
  at::Tensor const labels = example_truth<Kind, image<3, 16, 16>>(batch);
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

/// The conditioning of a fuse: a prediction of Kind, or, where the fuse does not serve it, of two classes for every pixel.
template <class F, class X, class Kind>
at::Tensor example_conditioning(std::int64_t n) {
  if constexpr (!serves_kind<F, Kind> && image_shape<X>) {
    return sample_numbers(sample_dims<with_channels<X, 2>>(n), 3).to(at::kFloat).mul(3).softmax(1);
  } else if constexpr (requires {
                         requires vector_shape<typename Kind::template output<X>> || image_shape<typename Kind::template output<X>>;
                       }) {
    return example_prediction<Kind>(of_shape<typename Kind::template output<X>>::sample(n, 3));
  } else {
    return {};
  }
}

template <class F, class X, class Z, class Kind>
void laws_of_fuse(conformance_report& report) {
  using f_type       = typename F::template on<X, Z>;
  using out          = typename f_type::output;
  auto const x       = of_shape<X>::sample(3, 1);
  auto const z       = of_shape<Z>::sample(3, 2);
  auto const outputs = example_outputs<F, X>(3);
  at::Tensor const y = example_conditioning<F, X, Kind>(3);
  f_type fuse;
  initialize(fuse, 1);
  auto const call = [&](f_type const& with, auto const& image, auto const& map, at::Tensor const& conditioning,
                        std::vector<side_output> const& side) {
    pass p{.mode = eval, .outputs = side, .conditioning = conditioning};
    return with(image, map, p);
  };
  if (!runs(report, [&] { (void)call(fuse, x, z, y, outputs); })) return;
  auto const joined         = call(fuse, x, z, y, outputs);
  value_of<out> const value = joined;
  std::int64_t const rows   = as_one(value).size(0);
  bool const fits           = rows > 0 && rows % 3 == 0 && of_shape<out>::fits(value, rows);
  report.law(fits, "the output has the declared shape, but it is " + dims_of_value(value));
  if (!fits) return;
  if constexpr (requires(at::Tensor const& raw) { fuse.undo(raw, joined); }) {
    if constexpr (image_shape<X> && image_shape<out>) {  // samples of one size, so each depends on the batch
      at::Tensor const back = fuse.undo(value, joined);
      report.law(back.sizes() == x.sizes(), "undo gives a map of the image's size, but it is " + dims_of(back));
    }
  } else {
    value_of<out> const alone = call(fuse, second_of(x), second_of(z), second_of(y),
                                     each_output(outputs, [](at::Tensor const& each) { return each.narrow(0, 1, 1); }));
    law_of_samples(report, as_one(value), as_one(alone));
  }
  laws_of_parameters<f_type>(report, [&](f_type const& each, at::ScalarType type) {
    value_of<out> const found =
        call(each, cast(x, type), cast(z, type), cast(y, type), each_output(outputs, [&](at::Tensor const& one) { return one.to(type); }));
    return as_one(found);
  });
}

template <class C, class F, class Kind>
void laws_of_combine(conformance_report& report) {
  using c_type       = typename C::template on<Kind, F>;
  using out          = typename Kind::template output<F>;
  using value        = value_of<out>;
  auto const f       = of_shape<F>::sample(3, 1);
  value const coarse = of_shape<out>::sample(3, 2), fine = of_shape<out>::sample(3, 3);
  auto const outputs = example_outputs<C, F>(3);
  c_type both;
  initialize(both, 1);
  auto const call = [](c_type const& with, value_of<F> const& features, value const& yc, value const& yf,
                       std::vector<side_output> const& side) {
    pass p{.mode = eval, .outputs = side};
    return basic_combined<value>(with(features, yc, yf, p)).answer;
  };
  if (!runs(report, [&] { call(both, f, coarse, fine, outputs); })) return;
  value const answer = call(both, f, coarse, fine, outputs);
  report.law(of_shape<out>::fits(answer, 3), "the combined output has the shape of both outputs, but it is " + dims_of_value(answer));
  if (!of_shape<out>::fits(answer, 3)) return;
  law_of_samples(report, as_one(answer),
                 as_one(call(both, second_of(f), second_of(coarse), second_of(fine),
                             each_output(outputs, [](at::Tensor const& each) { return each.narrow(0, 1, 1); }))));
  laws_of_parameters<c_type>(report, [&](c_type const& each, at::ScalarType type) {
    return as_one(call(each, cast(f, type), cast(coarse, type), cast(fine, type),
                       each_output(outputs, [&](at::Tensor const& one) { return one.to(type); })));
  });
}

/// An image shape with the sides of Like where they are dynamic.
template <class In, class Like>
using sized_input = image<In::channels, In::height == dynamic ? Like::height : In::height, In::width == dynamic ? Like::width : In::width>;

/// A training pass of a copy of a model: its losses, and its answer.
struct trained_pass {
  std::vector<std::string> names;
  std::vector<double> values;
  bool scalars = true;
  at::Tensor answer;
};
template <class M>
trained_pass train_once(M const& trained, at::Tensor const& x, at::Tensor const& truth, std::vector<std::int64_t> const& ids, double t,
                        std::uint64_t seed = 1, std::uint64_t epoch = 2, bool backward = false) {
  pass p{.mode = train, .truth = truth, .t = t, .seed = seed, .epoch = epoch, .ids = ids};
  trained_pass found;
  found.answer = run_model(trained, x, p).answer;
  for (auto const& [name, value] : p.losses) {
    found.names.push_back(name);
    found.scalars = found.scalars && value.numel() == 1;
    found.values.push_back(value.detach().sum().template item<double>());
  }
  if (backward && found.scalars)
    if (at::Tensor const sum = p.losses.empty() ? at::Tensor() : p.loss(); sum.defined() && sum.requires_grad()) sum.backward();
  return found;
}

template <class M>
void laws_of_training(conformance_report& report, M const& model, at::Tensor const& x, at::Tensor const& truth) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < x.size(0); ++i) ids.push_back((1007 + 365 * i) % 1217);
  M trained              = model;
  auto const first       = train_once(trained, x, truth, ids, 1, 1, 2, /*backward=*/true);
  std::string const many = std::to_string(first.names.size());
  report.law(!first.names.empty(), "a training pass adds a loss, but there is none");
  report.law(first.scalars, "a loss is a scalar, but one has several numbers");
  for (std::size_t i = 0; i < first.values.size(); ++i)
    report.law(std::isfinite(first.values[i]), "losses are finite, but '" + first.names[i] + "' is " + std::to_string(first.values[i]));
  if (first.names.empty() || !first.scalars ||
      !std::all_of(first.values.begin(), first.values.end(), [](double value) { return std::isfinite(value); }))
    return;
  for_each_tensor(trained, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
    if (!traits.trained) return;
    at::Tensor const gradient = each.tensor().grad();
    bool const finite         = gradient.defined() && gradient.isfinite().all().template item<bool>();
    report.law(finite, "every parameter gets a finite gradient from pass::loss(), but '" + path + "' got " +
                           (gradient.defined() ? "one that is not finite" : "none"));
  });
  auto const once = [&](double t, std::uint64_t seed = 1, std::uint64_t epoch = 2) {
    M copy = model;
    return train_once(copy, x, truth, ids, t, seed, epoch);
  };
  for (double const t : {0.0, 0.5, 1.0}) {
    auto const found = once(t, t == 0.5 ? 5 : 1, t == 0.5 ? 9 : 2);
    report.law(found.names == first.names, "every pass adds the same losses, but at t = " + std::to_string(t) + " there are " +
                                               std::to_string(found.names.size()) + " and at t = 1 " + many + ", or their names differ");
    auto const again = once(t, t == 0.5 ? 5 : 1, t == 0.5 ? 9 : 2);
    report.law(found.values == again.values && (!found.answer.defined() || found.answer.equal(again.answer)),
               "a pass is a function of (seed, epoch, sample ids), but two passes gave different numbers");
  }
  if constexpr (!requires { M::ordered_rows; }) {
    std::vector<std::int64_t> const order{2, 0, 3, 1};
    std::vector<std::int64_t> shuffled_ids;
    std::vector<at::Tensor> images, truths;
    for (auto const i : order) {
      shuffled_ids.push_back(ids[static_cast<std::size_t>(i)]);
      images.push_back(x.narrow(0, i, 1));
      truths.push_back(truth.narrow(0, i, 1));
    }
    M copy           = model;
    auto const found = train_once(copy, at::cat(images), at::cat(truths), shuffled_ids, 0.5, 5, 9), wanted = once(0.5, 5, 9);
    bool same = found.values.size() == wanted.values.size();
    for (std::size_t i = 0; same && i < wanted.values.size(); ++i)
      same = std::abs(found.values[i] - wanted.values[i]) <= 1e-4 + 1e-3 * std::abs(wanted.values[i]);
    for (std::size_t i = 0; same && wanted.answer.defined() && i < order.size(); ++i)
      same = at::allclose(found.answer.select(0, static_cast<std::int64_t>(i)), wanted.answer.select(0, order[i]), 1e-3, 1e-3);
    report.law(
        same,
        "the order of a batch does not matter, since random choices are functions of (seed, epoch, sample id), but another order gave "
        "other numbers; write 'static constexpr std::int64_t ordered_rows = N;' in the model if the N rows of a batch have roles");
  }
}

template <class M>
consteval std::int64_t rows_of() {
  if constexpr (requires { M::ordered_rows; })
    return M::ordered_rows;
  else
    return 4;
}

template <class M, class Like>
void laws_of_model(conformance_report& report) {
  constexpr std::int64_t n = rows_of<M>();
  using kind               = typename M::kind;
  using In                 = sized_input<typename M::input, Like>;
  using out                = of_shape<typename kind::template output<In>>;
  auto const make          = [](std::uint64_t seed) {
    if constexpr (std::constructible_from<M, std::uint64_t>)
      return M(seed);
    else
      return M();
  };
  M const model     = make(1);
  auto const before = copies_of_tensors(model);
  report.law(std::string_view(M::name).size() > 0, "a model has a name, but it is empty");
  report.law(equal_bits(before, copies_of_tensors(make(1))),
             "initial values are a function of the seed, but the same seed gave two different models");

  at::Tensor const x = of_shape<In>::sample(n, 1);
  auto const infer   = [&](at::Tensor const& images) {
    at::NoGradGuard const no_gradients;
    pass p{};
    outputs found = run_model(model, images, p);
    found.side    = p.outputs;
    return found;
  };
  if (!runs(report, [&] { (void)infer(x); })) return;
  outputs const found = infer(x), again = infer(x), alone = infer(x.narrow(0, 1, 1));
  bool const fits = out::fits(found.answer, n);
  report.law(fits, "the answer has the output shape of the kind, but it is " + dims_of(found.answer));
  report.law(found.answer.equal(again.answer) && found.side.size() == again.side.size(),
             "inference is a function, but two passes gave different outputs");
  if (fits) law_of_samples(report, found.answer, alone.answer);
  for (std::size_t i = 0; i < std::min(found.side.size(), again.side.size()); ++i) {
    auto const& [name, value, scored] = found.side[i];
    report.law(value.equal(again.side[i].value), "inference is a function, but two passes gave different outputs '" + name + "'");
    report.law(!scored || out::fits(value, n), "a scored output has the output shape of the kind, but '" + name + "' is " + dims_of(value));
  }
  report.law(equal_bits(before, copies_of_tensors(model)), "inference changes nothing, but a parameter or buffer changed");

  at::Tensor const truth = example_truth<kind, In>(n);
  bool const trains      = runs(report, [&] {
    M copy = model;
    (void)train_once(copy, x, truth, {}, 1);
  });
  if (trains) laws_of_training(report, model, x, truth);
  report.law(equal_bits(before, copies_of_tensors(model)), "copies are independent, but training a copy changed the original");
}

/// The shape of z for which a fuse is checked: that of x, none, or that of the raw output of Kind.
template <class F, class X, class Kind>
struct map_for_fuse {
  using type = void;
};
template <class F, class X, class Kind>
  requires fuse_on<F, X, X>
struct map_for_fuse<F, X, Kind> {
  using type = X;
};
template <class F, class X, class Kind>
  requires(!fuse_on<F, X, X> && fuse_on<F, X, no_map>)
struct map_for_fuse<F, X, Kind> {
  using type = no_map;
};
template <class F, class X, class Kind>
  requires(!fuse_on<F, X, X> && !fuse_on<F, X, no_map> && fuse_on<F, X, typename Kind::template output<X>>)
struct map_for_fuse<F, X, Kind> {
  using type = typename Kind::template output<X>;
};

}  // namespace detail

/// Checks the laws of `Part`: a model, a schedule, an encoder, a source, a fuse, a combine or an architecture, on inputs of shape `Like`.
/// Error: a type that is none of these is a compile error.
template <class Part, shape Like = image<3, 16, 16>, output_kind Kind = class_vector<10>>
[[nodiscard]] conformance_report conformance() {
  conformance_report report;
  if constexpr (model<Part> && (std::constructible_from<Part, std::uint64_t> || std::default_initializable<Part>)) {
    detail::laws_of_model<Part, Like>(report);
  } else if constexpr (schedule_of_t<Part>) {
    detail::laws_of_schedule<Part>(report);
  } else if constexpr (architecture_on<Part, Like>) {
    detail::laws_of_architecture<Part, Like>(report);
  } else if constexpr (encoder_on<Part, Kind, Like>) {
    detail::laws_of_encoder<Part, Like, Kind>(report);
  } else if constexpr (source_on<Part, Kind>) {
    detail::laws_of_source<Part, Kind>(report);
  } else if constexpr (!std::is_void_v<typename detail::map_for_fuse<Part, Like, Kind>::type>) {
    detail::laws_of_fuse<Part, Like, typename detail::map_for_fuse<Part, Like, Kind>::type, Kind>(report);
  } else if constexpr (combine_on<Part, Kind, Like>) {
    detail::laws_of_combine<Part, Like, Kind>(report);
  } else {
    static_assert(
        mismatch<got<Part>>,
        "c2f::conformance knows no laws for this type; give it a model, a schedule, an encoder, a source, a fuse, a combine or an "
        "architecture that fits the shape (the second argument)");
  }
  return report;
}

}  // namespace c2f
