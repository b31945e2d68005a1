// c2f/parts/source.hpp: which answer the fine network is told of in training. At inference it is always the prediction.
//
//   using source = c2f::source::sample;          // truth if a > t, else the prediction, a sample at a time (default)
//   using source = c2f::source::mean;            // (1 - t) truth + t prediction
//   using source = c2f::source::corrupt<>;       // the truth, damaged as often as the kind says; corrupt<0.2>: with probability .2
//   using source = c2f::source::prediction;      // always the prediction, whatever t is (RSTN's saliency)
//
// sample: Ren et al. 2020, eq. 3, with a drawn from (0, 1], so that t = 0 is always truth and t = 1 always prediction. a is a function
// of (seed, epoch, sample id). Where the prediction is taken the fine loss flows back through it into the coarse network; where
// the truth is taken nothing does. mean: footnote 2 there. corrupt: the practice of nnU-Net's cascade; the kind says what damage
// is (another class for class vectors) and how often it is done where the task does not.
//
// Cost: sample makes one [N] mask on the host and one blend; at t = 0 and t = 1 nothing. In a pass that has its numbers on the device it is
// all done there, for class vectors by one kernel.
#pragma once

#include <c2f/execution/try_fused.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/members.hpp>
#include <c2f/core/pass.hpp>

#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>

namespace c2f {

/// Requires: `on<Kind>` with `choose(prediction, truth, pass)`, a tensor like both.
template <class S, class Kind>
concept source_on = requires(typename S::template on<Kind> const& chosen, at::Tensor const& tensor, pass& p) {
  { chosen(tensor, tensor, p) } -> std::convertible_to<at::Tensor>;
};

namespace detail {
template <auto... Rate>
consteval bool check_rate() {
  static_assert(sizeof...(Rate) <= 1 && (... && (Rate >= 0 && Rate <= 1)),
                "c2f::source::corrupt needs a probability from 0 to 1; write 0.2 for a fifth");
  return true;
}
}  // namespace detail

namespace source {

struct sample {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, pass& p) const {
      std::int64_t const count = prediction.size(0);
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(prediction.dim()), 1);
      sizes[0] = count;
      if (at::Tensor const drawn = on_device(p); drawn.defined()) return at::where(drawn.gt(p.device->t).view(sizes), truth, prediction);
      if (p.t <= 0) return truth;
      if (p.t >= 1) return prediction;
      at::Tensor take_truth = at::empty({count}, at::TensorOptions().dtype(at::kBool));
      bool* const take      = take_truth.mutable_data_ptr<bool>();
      for (std::int64_t i = 0; i < count; ++i) take[i] = p.draws(purpose::source, i).uniform() > p.t;
      return at::where(take_truth.to(prediction.device()).view(sizes), truth, prediction);
    }

    /// The same of the coarse network's raw answer, by one kernel where there is one; else undefined.
    at::Tensor fused(at::Tensor const& raw, pass& p) const
      requires requires { requires Kind::one_hot; }
    {
      return p.device == nullptr ? at::Tensor() : try_fused::sample_source(raw, p.truth, on_device(p), p.device->t);
    }

   private:
    static at::Tensor on_device(pass const& p) { return p.device == nullptr ? at::Tensor() : p.device->uniform_at(p.level); }
  };
};

struct mean {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, pass& p) const {
      if (p.device != nullptr) return truth.lerp(prediction, p.device->t.to(truth.scalar_type()));
      return truth.mul(1 - p.t).add(prediction, p.t);
    }
  };
};

/// Whatever t is, so the schedule says nothing.
struct prediction {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& predicted, at::Tensor const&, pass&) const { return predicted; }
  };
};

template <auto... Rate>
struct corrupt : detail::static_check<detail::check_rate<Rate...>()> {
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
