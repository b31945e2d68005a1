// c2f/parts/source.hpp: the conditioning of the fine network in training. At inference it is always the prediction.
//
//   using source = c2f::source::sample;          // truth if a > t, else the prediction, per sample (default)
//   using source = c2f::source::mean;            // (1 - t) truth + t prediction
//   using source = c2f::source::corrupt<>;       // the corrupted truth, with the kind's probability; corrupt<0.2>: with probability .2
//   using source = c2f::source::borrow;          // as sample, with truths that are as wrong and as unsure as predictions are
//   using source = c2f::source::prediction;      // always the prediction, for any t (RSTN's saliency)
//
// sample: Ren et al. 2020, eq. 3, with a drawn from (0, 1], so that t = 0 always selects the truth and t = 1 the prediction. a is a
// function of (seed, epoch, sample id). If the prediction is selected, the gradient of the fine loss flows through it into the coarse
// network; if the truth is selected, none does. mean: footnote 2 there. corrupt: as in nnU-Net's cascade; the kind defines the corruption
// (another class for class vectors) and its default probability.
//
// borrow: a truth is never wrong and looks unlike a prediction, so a fine network may learn to copy it and not to look at the image
// (docs/evidence.md). Here the truth of a sample is shown with the error of the prediction for another sample, the one before it in the batch:
// of that prediction the probabilities of the two true classes are exchanged (distributions), a box is moved by the other box's error, or is
// missing where that one was missed. It is right where the other prediction is, and has its doubt. No gradient flows through it. A batch of one
// sample shows its truth as it is.
//
// prediction and truth have the shape of the kind's prediction, and so has the result. Cost: sample makes one [N] mask on the host and
// selects by it; none at t = 0 and t = 1. If the pass has its numbers on the device (pass::device), the selection runs there, for class
// vectors in one kernel.
// Errors: a source that does not support the kind is a compile error (task/check.hpp); so is a probability outside of [0, 1].
#pragma once

#include <c2f/execution/try_fused.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/members.hpp>
#include <c2f/core/pass.hpp>

#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>

namespace c2f {

/// Requires: `on<Kind>` with `source(prediction, truth, pass)`, a tensor of the same shape.
template <class S, class Kind>
concept source_on = requires(typename S::template on<Kind> const& chosen, at::Tensor const& tensor, pass& p) {
  { chosen(tensor, tensor, p) } -> std::convertible_to<at::Tensor>;
};

namespace detail {
template <auto... Rate>
consteval bool check_probability() {
  static_assert(sizeof...(Rate) <= 1 && (... && (Rate >= 0 && Rate <= 1)),
                "c2f::source::corrupt needs a probability from 0 to 1; write 0.2 for a fifth");
  return true;
}
}  // namespace detail

namespace source {

/// Truth or prediction, chosen per sample (eq. 3).
struct sample {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, pass& p) const {
      std::int64_t const count = prediction.size(0);
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(prediction.dim()), 1);
      sizes[0] = count;
      if (at::Tensor const t = p.t_on_device(); t.defined())
        if (at::Tensor const drawn = on_device(p); drawn.defined()) return at::where(drawn.gt(t).view(sizes), truth, prediction);
      if (p.t <= 0) return truth;
      if (p.t >= 1) return prediction;
      at::Tensor use_truth = at::empty({count}, at::TensorOptions().dtype(at::kBool));
      bool* const use      = use_truth.mutable_data_ptr<bool>();
      for (std::int64_t i = 0; i < count; ++i) use[i] = p.draws(purpose::source, i).uniform() > p.t;
      return at::where(use_truth.to(prediction.device()).view(sizes), truth, prediction);
    }

    /// The same from the coarse network's raw output, by one kernel if there is one; else undefined.
    at::Tensor fused(at::Tensor const& raw, pass& p) const
      requires requires { requires Kind::one_hot; }
    {
      if (p.truth.is_floating_point()) return {};  // no labels
      at::Tensor const t = p.t_on_device(), drawn = on_device(p);
      return t.defined() && drawn.defined() ? try_fused::sample_source(raw, p.truth, drawn, t) : at::Tensor();
    }

   private:
    static at::Tensor on_device(pass const& p) {
      return p.device == nullptr ? at::Tensor() : p.device->uniform_of({p.here(purpose::source)});
    }
  };
};

/// Truth or prediction, chosen as by sample, the truth with the error of the prediction for another sample.
struct borrow {
  template <class Kind>
    requires requires(at::Tensor const& tensor) {
      Kind::from_truth(tensor);
      requires Kind::distribution || requires { Kind::with_error_of(tensor, tensor, tensor); };
    }
  struct on {
    sample::on<Kind> chosen;
    C2F_MEMBERS(chosen);
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const&, pass& p) const {
      at::Tensor const truth = Kind::from_truth(p.truth).to(prediction.scalar_type());
      if (truth.size(0) == 1) return chosen(prediction, truth, p);  // no other to borrow from
      at::Tensor const other_truth = truth.roll(1, 0), other = prediction.detach().roll(1, 0);
      return chosen(prediction, with_error_of(other, other_truth, truth), p);
    }

   private:
    static at::Tensor with_error_of(at::Tensor const& other, at::Tensor const& other_truth, at::Tensor const& truth) {
      if constexpr (requires { Kind::with_error_of(other, other_truth, truth); }) {
        return Kind::with_error_of(other, other_truth, truth);
      } else {
        auto const of = [&](at::Tensor const& which) { return other.mul(which).sum(1, /*keepdim=*/true); };
        return other.add(of(other_truth).sub(of(truth)).mul(truth.sub(other_truth)));
      }
    }
  };
};

/// The interpolation of truth and prediction by t.
struct mean {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, pass& p) const {
      if (at::Tensor const t = p.t_on_device(); t.defined()) return truth.lerp(prediction, t.to(truth.scalar_type()));
      p.requires_host("c2f::source::mean, which reads t");
      return truth.mul(1 - p.t).add(prediction, p.t);
    }
  };
};

/// The prediction for any t; the schedule has no effect.
struct prediction {
  static constexpr bool ignores_t = true;
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& predicted, at::Tensor const&, pass&) const { return predicted; }
  };
};

/// The corrupted truth for any t; the schedule has no effect. `Rate`: the probability, if not the kind's default.
template <auto... Rate>
struct corrupt : detail::static_check<detail::check_probability<Rate...>()> {
  static constexpr bool ignores_t       = true;
  static constexpr bool corrupts_truths = true;  ///< the result is a truth, which the stack brings to the scale of predictions
  template <class Kind>
    requires requires(at::Tensor const& tensor, pass const& p) { Kind::corrupt(tensor, Kind::corrupt_rate, p); }
  struct on {
    C2F_MEMBERS();
    static constexpr double rate = [] {
      double chosen = Kind::corrupt_rate;
      ((chosen = Rate), ...);
      return chosen;
    }();
    at::Tensor operator()(at::Tensor const& predicted, at::Tensor const&, pass& p) const {
      return Kind::from_truth(Kind::corrupt(p.truth, rate, p)).to(predicted.scalar_type());
    }
  };
};

}  // namespace source
}  // namespace c2f
