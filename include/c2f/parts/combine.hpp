// c2f/parts/combine.hpp: how the coarse and the fine output are combined.
//
//   using combine = c2f::combine::fine;               // the fine output (default)
//   using combine = c2f::combine::average;            // the mean of both predictions at inference (Coarse2Fine)
//   using combine = c2f::combine::mixed<0.5>;         // a constant mixture, which the fine loss supervises
//   using combine = c2f::combine::gate<>;             // p_a p_c + (1 - p_a) p_f with p_a learnt, for class vectors (CasNet)
//   using combine = c2f::combine::gate<head, 0.1>;    // with a head for maps, whose own loss has the weight .1
//   using combine = c2f::combine::hard_gate<head>;    // the coarse output where p_a is at least .5, else the fine one
//
// A combine reads the features and both raw outputs and returns two raw outputs: the combined output of the stack (`answer`), and the
// output that the fine loss supervises in training: the mixture for mixed and gate (CasNet (Wang et al. 2019), eq. 8), else the fine output.
// The gate adds another loss (eq. 6): its label is 1 where the coarse prediction is correct, and no gradient reaches the coarse network
// through the label. Raw outputs are logits, so a mixture of probabilities is returned as its logarithm (whose softmax is the mixture). It
// is computed from logarithms, so that pixels where both networks are certain and wrong still have a gradient; in float, or in double if
// the outputs are. Cost: a few passes over the outputs.
// Errors: a combine that does not fit kind or features is a compile error (task/check.hpp), as is a weight out of range.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/maximum.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/where.h>

#include <cmath>

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

namespace detail {

template <auto Weight>
consteval bool check_mixed_weight() {
  static_assert(Weight >= 0 && Weight <= 1,
                "c2f::combine::mixed needs a weight of the coarse prediction from 0 to 1; write c2f::combine::mixed<0.5>");
  return true;
}
template <auto Weight>
consteval bool check_gate_weight() {
  static_assert(Weight >= 0, "the weight of a gate's own loss is 0 or more; write c2f::combine::gate<head, 0.1>");
  return true;
}
/// Whether the output of a gate's head has two numbers for each prediction in a raw output.
template <class Out, class Raw>
inline constexpr bool is_gate_output = is_wrong<Out> || (vector_shape<Out> && vector_shape<Raw> && Out::channels == 2);
template <image_shape Out, image_shape Raw>
inline constexpr bool is_gate_output<Out, Raw> = is_wrong<Out> || Out::channels == 2;
template <class Head, class Out, class Raw>
consteval bool check_gate_head() {
  static_assert(
      is_gate_output<Out, Raw> || mismatch<in_layer<Head>, got<Out>>,
      "the head of a gate ends in two numbers for each prediction, 'hard' and 'easy'; end it in c2f::linear<2> for class vectors, "
      "or in c2f::conv<2, 1, 1, 0, c2f::bias> for maps");
  return true;
}

/// log(a exp(coarse) + (1 - a) exp(fine)), of log(a) and log(1 - a), tensors or numbers: the larger logarithm plus softplus(-|difference|),
/// which is exact for a difference as large as that of what lies outside of a crop. Both are -infinity for a class that both exclude.
/// Softplus instead of logaddexp, whose gradient takes three times as long.
template <class Number>
at::Tensor log_mixture(Number const& log_part, Number const& log_rest, at::Tensor const& coarse, at::Tensor const& fine) {
  at::Tensor const a = coarse.add(log_part), b = fine.add(log_rest);
  return at::maximum(a, b).add(at::softplus(a.sub(b).nan_to_num(0).abs().neg()));
}
/// The raw output of a kind, of an image.
template <class Kind>
using raw_of_image = typename Kind::template output<image<1, dynamic, dynamic>>;

}  // namespace detail

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

/// At inference the mean of both predictions, in training the fine output. For kinds whose prediction is a distribution over dimension 1, and
/// for those that can bring a prediction back to a raw output (K::raw_of_prediction).
struct average {
  template <class Kind, shape F>
    requires(distribution<Kind> || requires(at::Tensor const& mean) { Kind::raw_of_prediction(mean); })
  struct on {
    C2F_MEMBERS();
    combined operator()(at::Tensor const&, at::Tensor const& coarse, at::Tensor const& fine, pass& p) const {
      if (p.training()) return {fine, fine};
      at::Tensor const mean = Kind::predict(coarse).add(Kind::predict(fine)).mul(0.5);
      if constexpr (requires { Kind::raw_of_prediction(mean); })
        return {Kind::raw_of_prediction(mean), fine};
      else
        return {mean.clamp_min(1e-12).log(), fine};
    }
  };
};

/// The mixture Weight p_c + (1 - Weight) p_f, in training, too. For kinds whose prediction is a distribution over dimension 1.
template <auto Weight = 0.5>
struct mixed : c2f::detail::static_check<c2f::detail::check_mixed_weight<Weight>()> {
  template <distribution Kind, shape F>
  struct on {
    C2F_MEMBERS();
    combined operator()(at::Tensor const&, at::Tensor const& coarse, at::Tensor const& fine, pass&) const {
      constexpr double weight     = Weight;
      at::Tensor const log_coarse = c2f::detail::log_prediction<Kind>(coarse), log_fine = c2f::detail::log_prediction<Kind>(fine);
      at::Tensor const mixture = weight == 0   ? log_fine
                                 : weight == 1 ? log_coarse
                                               : c2f::detail::log_mixture(std::log(weight), std::log(1 - weight), log_coarse, log_fine);
      return {mixture, mixture};
    }
  };
};

namespace detail {

template <class Head, auto Weight, bool Hard>
struct any_gate : c2f::detail::static_check<c2f::detail::check_gate_weight<Weight>()> {
  template <distribution Kind, shape F>
    requires(architecture_on<Head, F> && requires(at::Tensor const& tensor) { Kind::correct(tensor, tensor); })
  struct on : c2f::detail::static_check<
                  c2f::detail::check_gate_head<Head, typename network_on<Head, F>::output, c2f::detail::raw_of_image<Kind>>()> {
    network_on<Head, F> head;
    C2F_MEMBERS(head);

    combined operator()(at::Tensor const& features, at::Tensor const& coarse, at::Tensor const& fine, pass& p) const {
      at::Tensor scores = head(features, p.mode);
      if constexpr (image_shape<c2f::detail::raw_of_image<Kind>>)
        if (scores.size(2) != coarse.size(2) || scores.size(3) != coarse.size(3))
          scores = resize_bilinear(scores, coarse.size(2), coarse.size(3));
      at::Tensor const log_p = c2f::detail::log_softmax(scores), hard = log_p.narrow(1, 0, 1), easy = log_p.narrow(1, 1, 1);
      at::Tensor const log_coarse = c2f::detail::log_prediction<Kind>(coarse), log_fine = c2f::detail::log_prediction<Kind>(fine);
      at::Tensor const chosen =
          Hard ? at::where(easy.ge(hard), log_coarse, log_fine) : c2f::detail::log_mixture(easy, hard, log_coarse, log_fine);
      if (!p.training())
        p.add_output("easy", easy.exp());
      else if (Weight > 0)
        p.add("gate", loss(log_p, coarse.detach(), p.truth));
      return {chosen, chosen};
    }

   private:
    static at::Tensor loss(at::Tensor const& log_p, at::Tensor const& coarse, at::Tensor const& truth) {
      auto const [right, counted] = Kind::correct(coarse, truth);
      at::Tensor const likelihood = at::where(right, log_p.select(1, 1), log_p.select(1, 0)).masked_fill(counted.logical_not(), 0);
      return likelihood.sum().div(counted.sum().clamp_min(1)).mul(-static_cast<double>(Weight));
    }
  };
};

}  // namespace detail

/// The mixture p_a p_c + (1 - p_a) p_f of CasNet (Wang et al. 2019), eq. 8. `Head` maps the features to two logits for each prediction,
/// "hard" and "easy": [N, 2] for class vectors, [N, 2, h, w] for maps, which is brought to the size of the outputs. p_a is the probability
/// of "easy"; at inference it is the side output "easy", [N, 1] or [N, 1, H, W]. In training the gate adds the loss "gate" (eq. 6), `Weight`
/// times the mean over the samples or pixels that have a truth. For kinds whose prediction is a distribution over dimension 1.
template <class Head = sequential<global_average_pool, linear<2>>, auto Weight = 1.0>
struct gate : detail::any_gate<Head, Weight, false> {};

/// The coarse output where it is easy, p_a of at least .5, and the fine one elsewhere, in training, too: each network learns from what it is
/// chosen for, and the gate from its own loss only. (HMNet: hard pixels "fed to the last branch".)
template <class Head = sequential<global_average_pool, linear<2>>, auto Weight = 1.0>
struct hard_gate : detail::any_gate<Head, Weight, true> {};

}  // namespace combine
}  // namespace c2f
