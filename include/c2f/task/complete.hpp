// c2f/task/complete.hpp: a task with a default for every missing part.
//
//   struct cifar100 {
//     static constexpr char const* name = "cifar100-resnet20";          // for programs and messages
//     using input   = c2f::image<3, 32, 32>;                            // required
//     using network = c2f::resnet_cifar<20, c2f::class_vector<100>>;    // required; or c2f::coarse_fine<A, B>
//   };
//   using all = c2f::complete<cifar100>;                                // all::schedule, all::encoder, ...
//
// The members of a task and their defaults:
//   schedule      t as a function of progress       ramp<0.5, 0.3, by::fraction>: 1 before the first milestone of recipe::cifar, imagenet
//   encoder       g: prediction -> map z            the kind's own
//   predict       raw output -> prediction          predict::probabilities
//   source        the conditioning ỹ in training    source::sample
//   share         what the networks share           share::nothing
//   fuse          x and z -> fine network's input   fuse::concatenate
//   combine       two raw outputs -> combined one   combine::fine
//   refine        rounds of the fine network        refine::once
//   loss          of raw output and truth           the kind's own
//   loss_weights  of the coarse and the fine loss   loss_weights<1.0, 1.0> (eq. 4)
//
// Errors: a likely misspelling of a part, or a part that is no type, is a compile error (task/spelling.hpp). Other members are the task's
// own: a part with a name that is not on that list has no effect, as any member of a task that is `final` or that names a part like itself.
// c2f::explain (print.hpp) shows which parts were given.
#pragma once

#include <c2f/parts/combine.hpp>
#include <c2f/parts/encoder.hpp>
#include <c2f/parts/fuse.hpp>
#include <c2f/parts/refine.hpp>
#include <c2f/parts/schedule.hpp>
#include <c2f/parts/share.hpp>
#include <c2f/parts/predict.hpp>
#include <c2f/parts/source.hpp>

namespace c2f {

/// Separate architectures for the coarse and the fine network.
template <class Coarse, class Fine>
struct coarse_fine {
  using coarse = Coarse;
  using fine   = Fine;
};

/// The weights of the coarse and the fine loss, both at least 0 and one of them above 0.
template <auto Coarse, auto Fine>
struct loss_weights {
  static constexpr double coarse = Coarse, fine = Fine;
};

namespace detail {

template <class Network>
struct both_networks {
  using coarse = Network;
  using fine   = Network;
};
template <class C, class F>
struct both_networks<coarse_fine<C, F>> {
  using coarse = C;
  using fine   = F;
};

template <class Given>
struct given_part {
  using type                  = Given;
  static constexpr bool given = true;
};
template <class Default>
struct default_part {
  using type                  = Default;
  static constexpr bool given = false;
};

#define C2F_DETAIL_PART(part)                    \
  template <class T, class Default>              \
  struct part##_part : default_part<Default> {}; \
  template <class T, class Default>              \
    requires requires { typename T::part; }      \
  struct part##_part<T, Default> : given_part<typename T::part> {}
C2F_DETAIL_PART(schedule);
C2F_DETAIL_PART(encoder);
C2F_DETAIL_PART(predict);
C2F_DETAIL_PART(source);
C2F_DETAIL_PART(share);
C2F_DETAIL_PART(fuse);
C2F_DETAIL_PART(combine);
C2F_DETAIL_PART(refine);
C2F_DETAIL_PART(loss);
C2F_DETAIL_PART(loss_weights);
#undef C2F_DETAIL_PART

template <class T>
inline constexpr bool has_no_fine = requires { requires T::refine::rounds == 0; };

/// The loss of a kind that nobody supervises.
struct no_loss {};
template <class Kind>
struct loss_of_kind {
  using type = no_loss;
};
template <supervised_kind Kind>
struct loss_of_kind<Kind> {
  using type = typename Kind::default_loss;
};
template <class Kind>
using default_loss_of = typename loss_of_kind<Kind>::type;

template <class T>
consteval char const* name_of() {
  if constexpr (requires {
                  { T::name } -> std::convertible_to<char const*>;
                })
    return T::name;
  else
    return "unnamed";
}

}  // namespace detail

/// All members of a task, given or default.
template <class T>
struct complete {
  static constexpr char const* name = detail::name_of<T>();
  using input                       = typename T::input;
  using coarse                      = typename detail::both_networks<typename T::network>::coarse;
  using fine                        = typename detail::both_networks<typename T::network>::fine;
  /// What the stack predicts: the kind of the fine network, or of the coarse one where there is no other.
  using kind                        = typename std::conditional_t<detail::has_no_fine<T>, coarse, fine>::kind;
  using coarse_kind                 = typename coarse::kind;  ///< another kind only if both have the same sort of prediction

  /// The parts, each with `type` and `given`: whether the task has the member.
  struct parts {
    using schedule     = detail::schedule_part<T, c2f::schedule::ramp<0.5, 0.3, by::fraction>>;
    using encoder      = detail::encoder_part<T, typename coarse_kind::default_encoder>;
    using predict      = detail::predict_part<T, c2f::predict::probabilities>;
    using source       = detail::source_part<T, c2f::source::sample>;
    using share        = detail::share_part<T, c2f::share::nothing>;
    using fuse         = detail::fuse_part<T, c2f::fuse::concatenate>;
    using combine      = detail::combine_part<T, c2f::combine::fine>;
    using refine       = detail::refine_part<T, c2f::refine::once>;
    using loss         = detail::loss_part<T, detail::default_loss_of<kind>>;
    using coarse_loss  = detail::loss_part<T, detail::default_loss_of<coarse_kind>>;
    using loss_weights = detail::loss_weights_part<T, c2f::loss_weights<1.0, 1.0>>;
  };
  using schedule     = typename parts::schedule::type;
  using encoder      = typename parts::encoder::type;
  using predict      = typename parts::predict::type;
  using source       = typename parts::source::type;
  using share        = typename parts::share::type;
  using fuse         = typename parts::fuse::type;
  using combine      = typename parts::combine::type;
  using refine       = typename parts::refine::type;
  using loss         = typename parts::loss::type;
  using coarse_loss  = typename parts::coarse_loss::type;
  using loss_weights = typename parts::loss_weights::type;
};

}  // namespace c2f
