// c2f/parts/combine.hpp: how the coarse and the fine output are combined.
//
//   using combine = c2f::combine::fine;         // the fine output (default)
//   using combine = c2f::combine::average;      // the mean of both predictions (Coarse2Fine, at inference)
//   using combine = c2f::combine::gate<>;       // p_a p_c + (1 - p_a) p_f, p_a learnt (CasNet)
//
// A combine reads the features and both raw outputs and returns two raw outputs: the combined output of the stack (`answer`), and the
// output that the fine loss supervises in training: the mixture for gate (CasNet (Wang et al. 2019), eq. 8), else the fine output.
// The gate adds another loss (eq. 6): its label is 1 where the coarse prediction is correct, and no gradient reaches the coarse network
// through the label. Raw outputs are logits, so a mixture of probabilities is returned as its logarithm (whose softmax is the mixture).
// Errors: a combine that does not fit kind or features is a compile error (task/check.hpp).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>
#include <c2f/loss/cross_entropy.hpp>

namespace c2f {

/// The result of a combine; both have the shape of the kind's raw output (Raw: an array where that is several maps).
template <class Raw>
struct basic_combined {
  Raw answer;      ///< raw: the combined output of the stack
  Raw supervised;  ///< raw: the output that the fine loss supervises
};
using combined = basic_combined<at::Tensor>;

/// Requires: `on<Kind, F>` with `combine(features, coarse, fine, pass)`, a c2f::combined (c2f::basic_combined for several maps). `In`: the
/// input of the stack, whose features have the shape F.
template <class C, class Kind, class F, class In = F>
concept combine_on = requires(typename C::template on<Kind, F> const& both, value_of<F> const& features,
                              value_of<typename Kind::template output<In>> const& raw, pass& p) {
  { both(features, raw, raw, p) } -> std::convertible_to<basic_combined<value_of<typename Kind::template output<In>>>>;
};

namespace combine {

/// The fine output.
struct fine {
  template <output_kind Kind, shape F>
  struct on {
    C2F_MEMBERS();
    template <class X, class Raw>
    basic_combined<Raw> operator()(X const&, Raw const&, Raw const& fine, pass&) const {
      return {fine, fine};
    }
  };
};

/// At inference the mean of both predictions, in training the fine output. For kinds whose prediction is a distribution over dimension 1.
struct average {
  template <distribution Kind, shape F>
  struct on {
    C2F_MEMBERS();
    combined operator()(at::Tensor const&, at::Tensor const& coarse, at::Tensor const& fine, pass& p) const {
      if (p.training()) return {fine, fine};
      return {Kind::predict(coarse).add(Kind::predict(fine)).mul(0.5).clamp_min(1e-12).log(), fine};
    }
  };
};

/// The mixture p_a p_c + (1 - p_a) p_f of CasNet (Wang et al. 2019), eq. 8. `Head` maps the features to logits [N, 2], "hard" and "easy";
/// p_a is the probability of "easy". In training it adds the loss "gate" (eq. 6). For kinds whose raw output is a vector of class logits.
/// Errors: a head that does not fit the features, or another kind, is a compile error (task/check.hpp).
template <class Head = sequential<global_average_pool, linear<2>>>
struct gate {
  template <distribution Kind, shape F>
    requires(architecture_on<Head, F> && vector_shape<typename Kind::template output<image<1, dynamic, dynamic>>>)
  struct on {
    network_on<Head, F> head;
    C2F_MEMBERS(head);

    combined operator()(at::Tensor const& features, at::Tensor const& coarse, at::Tensor const& fine, pass& p) const {
      at::Tensor const scores  = head(features, p.mode);
      at::Tensor const easy    = scores.softmax(1).narrow(1, 1, 1);
      at::Tensor const mixture = easy.mul(Kind::predict(coarse)).add(easy.neg().add(1.0).mul(Kind::predict(fine))).clamp_min(1e-12).log();
      if (p.training()) p.add("gate", loss::cross_entropy::of(scores, coarse.detach().argmax(1).eq(p.truth).to(at::kLong)));
      return {mixture, mixture};
    }
  };
};

}  // namespace combine
}  // namespace c2f
