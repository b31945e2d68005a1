// c2f/layers/growing_cosine.hpp: c2f::cosine, a classifier by the cosine of features with one row a class, that grows by classes of which
// it is shown a few samples.
//
//   c2f::growing_cosine<64, 5, c2f::weight_generator::attention<>>      // [N, C] -> [N, 69]: 64 learnt classes and up to 5 new ones
//   net.adapt(features, labels, {});                                    // makes the rows of the new classes
//
// Gidaris and Komodakis, "Dynamic few-shot visual learning without forgetting", CVPR 2018. The rows of new classes are made from the
// features of their samples by a weight generator:
//   average     w = a * mean z                                                       (eq. 6)
//   attention   w = a * mean z + b * mean over the samples of sum_k Att(z, k) w_k    (eq. 7 and 8)
// with z and w_k of length 1, a and b a factor a feature, Att a softmax over the base classes of gamma cos(q(z), key_k).
// Parameters begin as in that paper's code: a and b 1, rows and keys normal with deviation sqrt(2 / C), q the identity plus .001 N, gamma
// 10 (30 for ImageNet). c2f/systems/dynamic_few_shot.hpp trains them.
#pragma once

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

/// What a generator is told: the samples of new classes and the classes there are.
struct examples {
  at::Tensor features;  ///< [S, C], each of length 1
  at::Tensor of_class;  ///< [Way, S], 1 / n where sample s is one of the n of class i
  at::Tensor rows;      ///< [Base, C], each of length 1
  at::Tensor closed;    ///< [Base], true where a base class plays a new one
};

/// Requires: `on<vector<C>, Base>` with `generator(examples)`, rows [Way, C] for the new classes.
template <class G>
concept generator = requires(typename G::template on<vector<2>, 2> const& net, examples const& shown) {
  { net(shown) } -> std::convertible_to<at::Tensor>;
};

struct average {
  template <shape In, std::int64_t Base>
  struct on {
    parameter<initial::ones, In::channels> of_features;
    C2F_MEMBERS(of_features);

    at::Tensor operator()(examples const& shown) const { return shown.of_class.matmul(shown.features).mul(of_features.as(shown.features)); }
  };
};

template <double Gamma = 10.0>
struct attention {
  template <shape In, std::int64_t Base>
  struct on {
    parameter<initial::ones, In::channels> of_features, of_rows;
    network_on<linear<In::channels, initial::identity<0.001>>, In> query;
    parameter<initial::he_normal_in, Base, In::channels> keys;
    parameter<initial::constant<Gamma>, 1> scale;
    C2F_MEMBERS(of_features, of_rows, query, keys, scale);

    at::Tensor operator()(examples const& shown) const {
      at::Tensor const& z      = shown.features;
      at::Tensor const cosines = detail::unit_rows(query(z, eval)).matmul(detail::unit_rows(keys.as(z)).t());
      at::Tensor const weights = cosines.mul(scale.as(z)).masked_fill(shown.closed, -std::numeric_limits<double>::infinity()).softmax(1);
      at::Tensor const seen    = shown.of_class.matmul(weights.matmul(shown.rows));
      return shown.of_class.matmul(z).mul(of_features.as(z)).add(seen.mul(of_rows.as(z)));
    }
  };
};

}  // namespace weight_generator

namespace detail {
/// 0 before an index, 1 from it on.
template <std::int64_t Index>
struct from_index {
  static double draw(random_stream&, std::span<std::int64_t const>, std::int64_t index) { return index < Index ? 0 : 1; }
};
}  // namespace detail

/// Cosine with the rows of `Base` learnt classes and of `Way` new ones.
template <std::int64_t Base, std::int64_t Way, class Generator>
struct growing_cosine {
  template <shape In>
  struct on : detail::static_check<detail::check_vector<growing_cosine, In>()> {
    using output = detail::output_if<vector_shape<In>, vector<Base + Way>>;

    parameter<initial::he_normal_in, Base, In::channels> weight;
    parameter<initial::constant<10.0>, 1> scale;
    typename Generator::template on<In, Base> generator;
    buffer<initial::zeros, Way, In::channels> new_rows;   ///< of the classes that were shown last
    buffer<detail::from_index<Base>, Base + Way> closed;  ///< 1 for a class that may not be answered: at first the new ones
    C2F_MEMBERS(weight, scale, generator, new_rows, closed);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      at::Tensor const rows = at::cat({weight.as(x), new_rows.as(x)});
      return at::linear(detail::unit_rows(x), detail::unit_rows(rows))
          .mul(scale.as(x))
          .masked_fill(closed.tensor().to(at::kBool), -std::numeric_limits<double>::infinity());
    }

    /// Makes the rows of the new classes from `features` [S, C] of samples of class labels [S] in 0 ... Way - 1. Base classes in `playing`
    /// [n] are closed.
    void adapt(at::Tensor const& features, at::Tensor const& labels, at::Tensor const& pseudo_novel) {
      at::Tensor const one_hot = at::zeros({Way, labels.size(0)}, features.options()).scatter_(0, labels.unsqueeze(0), 1.0);
      at::Tensor const counts  = one_hot.sum(1, true);
      at::Tensor const shut    = at::zeros({Base + Way}, closed.tensor().options());
      if (pseudo_novel.defined()) shut.index_fill_(0, pseudo_novel, 1.0);
      shut.slice(0, Base).copy_(counts.eq(0).squeeze(1));  // a new class without a sample has no row
      weight_generator::examples const shown{detail::unit_rows(features), one_hot.div(counts.clamp_min(1)),
                                             detail::unit_rows(weight.as(features)), shut.slice(0, 0, Base).to(at::kBool)};
      new_rows.assign(generator(shown));
      closed.assign(shut);
    }
  };
};

}  // namespace c2f
