// c2f/layers/growing_cosine.hpp: a cosine classifier that is extended by new classes, given a few samples of each.
//
//   using classifier = c2f::growing_cosine<64, 5, c2f::weight_generator::attention<>>;   // 64 base classes and up to 5 new ones
//   auto net = c2f::make_network<classifier, c2f::vector<512>>(seed);                    // [N, 512] -> [N, 69]
//   net.adapt(x, labels, {});                              // generates the rows of the new classes from their features x
//   auto const added = net.generated(x, labels, {});       // the same without a change of the network
//   step.add_output("rows", added.rows), step.add_output("masked", added.masked);        // a pass that uses them
//
// Gidaris and Komodakis, "Dynamic few-shot visual learning without forgetting", CVPR 2018. A weight generator computes the row of a new
// class from the features of its samples:
//   average     w = a * mean z                                                       (eq. 6)
//   attention   w = a * mean z + b * mean over the samples of sum_k Att(z, k) w_k    (eq. 7 and 8)
// with z and w_k of length 1, a and b one factor per feature, Att (`att`) a softmax over the base classes of gamma cos(q(z), key_k).
// Initial values as in the published code: a and b 1, rows and keys normal with deviation sqrt(2 / C), q the identity plus .001 N(0, 1),
// gamma 10 (30 for ImageNet). c2f/systems/dynamic_few_shot.hpp trains them. Logits of masked classes are -infinity.
// Errors: a map as input is a compile error.
#pragma once

#include <c2f/core/pass.hpp>
#include <c2f/layers/cosine.hpp>
#include <c2f/layers/linear.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <span>

namespace c2f {

namespace weight_generator {

/// The input of a generator: samples of the new classes, and the base classes.
struct examples {
  at::Tensor features;  ///< [S, C], each of length 1
  at::Tensor of_class;  ///< [Way, S], 1 / n if sample s is one of the n samples of class i, else 0
  at::Tensor rows;      ///< [Base, C], each of length 1
  at::Tensor masked;    ///< [Base] bool, true for a pseudo-novel class (a base class that is treated as new)
};

/// Requires: `on<vector<C>, Base>` with `generator(examples)`, the rows [Way, C] of the new classes.
template <class G>
concept generator = requires(typename G::template on<vector<2>, 2> const& net, examples const& support) {
  { net(support) } -> std::convertible_to<at::Tensor>;
};

/// The mean of the features, one factor per feature (eq. 6).
struct average {
  template <shape In, std::int64_t Base>
  struct on {
    parameter<initial::ones, In::channels> of_features;
    C2F_MEMBERS(of_features);

    at::Tensor operator()(examples const& support) const {
      return support.of_class.matmul(support.features).mul(of_features.as(support.features));
    }
  };
};

/// The mean of the features plus attention over the base classes (eq. 7 and 8). `Gamma`: initial scale of the attention.
template <double Gamma = 10.0>
struct attention {
  template <shape In, std::int64_t Base>
  struct on {
    parameter<initial::ones, In::channels> of_features, of_rows;
    network_on<linear<In::channels, initial::identity<0.001>>, In> query;
    parameter<initial::he_normal_in, Base, In::channels> keys;
    parameter<initial::constant<Gamma>, 1> scale;
    C2F_MEMBERS(of_features, of_rows, query, keys, scale);

    at::Tensor operator()(examples const& support) const {
      at::Tensor const& z       = support.features;
      at::Tensor const cosines  = detail::unit_rows(query(z, eval)).matmul(detail::unit_rows(keys.as(z)).t());
      at::Tensor const att      = cosines.mul(scale.as(z)).masked_fill(support.masked, -std::numeric_limits<double>::infinity()).softmax(1);
      at::Tensor const attended = support.of_class.matmul(att.matmul(support.rows));
      return support.of_class.matmul(z).mul(of_features.as(z)).add(attended.mul(of_rows.as(z)));
    }
  };
};

}  // namespace weight_generator

namespace detail {
/// Initial value: 0 below `Index`, 1 from `Index` on.
template <std::int64_t Index>
struct from_index {
  static double draw(random_stream&, std::span<std::int64_t const>, std::int64_t index) { return index < Index ? 0 : 1; }
};
}  // namespace detail

/// Cosine with the rows of `Base` learnt classes and `Way` new ones.
template <std::int64_t Base, std::int64_t Way, class Generator>
struct growing_cosine {
  template <shape In>
  struct on : detail::static_check<detail::check_vector<growing_cosine, In>()> {
    using output = detail::output_if<vector_shape<In>, vector<Base + Way>>;

    parameter<initial::he_normal_in, Base, In::channels> weight;
    parameter<initial::constant<10.0>, 1> scale;
    typename Generator::template on<In, Base> generator;
    buffer<initial::zeros, Way, In::channels> new_rows;   ///< of the classes of the last adapt
    buffer<detail::from_index<Base>, Base + Way> masked;  ///< 1 for a class with logit -infinity: initially the new ones

    // Not C2F_MEMBERS: weight files name the buffer `masked` "closed".
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      f("weight", self.weight);
      f("scale", self.scale);
      f("generator", self.generator);
      f("new_rows", self.new_rows);
      f("closed", self.masked);
    }
    static constexpr std::int64_t count_of_parameters() {
      return parameter_count<decltype(weight)> + parameter_count<decltype(scale)> + parameter_count<decltype(generator)>;
    }

    at::Tensor operator()(at::Tensor const& x, mode) const { return logits(x, new_rows.as(x), masked.tensor()); }
    /// With the side outputs "rows" and "masked" of the pass instead of the network's own, if there are such.
    at::Tensor operator()(at::Tensor const& x, pass& p) const {
      at::Tensor const rows = p.output("rows");
      return rows.defined() ? logits(x, rows, p.output("masked")) : (*this)(x, p.mode);
    }

    /// The rows of new classes [Way, C], and which classes have none [Base + Way].
    struct new_classes {
      at::Tensor rows, masked;
    };
    /// Generates the rows of the new classes from `features` [S, C] with labels [S] in 0 ... Way - 1, and masks new classes without a
    /// sample. `pseudo_novel` [n]: base classes to mask, may be undefined.
    [[nodiscard]] new_classes generated(at::Tensor const& features, at::Tensor const& labels, at::Tensor const& pseudo_novel) const {
      at::Tensor const one_hot = at::zeros({Way, labels.size(0)}, features.options()).scatter_(0, labels.unsqueeze(0), 1.0);
      at::Tensor const counts  = one_hot.sum(1, true);
      at::Tensor const mask    = at::zeros({Base + Way}, masked.tensor().options());
      if (pseudo_novel.defined()) mask.index_fill_(0, pseudo_novel, 1.0);
      mask.slice(0, Base).copy_(counts.eq(0).squeeze(1));  // a new class without samples has no row
      weight_generator::examples const support{detail::unit_rows(features), one_hot.div(counts.clamp_min(1)),
                                               detail::unit_rows(weight.as(features)), mask.slice(0, 0, Base).to(at::kBool)};
      return {generator(support), mask};
    }
    /// The same, kept in the network.
    void adapt(at::Tensor const& features, at::Tensor const& labels, at::Tensor const& pseudo_novel) {
      assign(generated(features, labels, pseudo_novel));
    }
    void assign(new_classes const& added) {
      new_rows.assign(added.rows);
      masked.assign(added.masked);
    }

   private:
    [[nodiscard]] at::Tensor logits(at::Tensor const& x, at::Tensor const& rows, at::Tensor const& without) const {
      return at::linear(detail::unit_rows(x), detail::unit_rows(at::cat({weight.as(x), rows.to(x.scalar_type())})))
          .mul(scale.as(x))
          .masked_fill(without.to(at::kBool), -std::numeric_limits<double>::infinity());
    }
  };
};

}  // namespace c2f
