// The variants of training of Ren et al. 2020 and two more, as tasks that differ in one line. `Base` has input and network, and a schedule
// if t should not reach 1 after .3 of the training, before the first milestone of the learning rate.
#pragma once

#include "common/program.hpp"

#include <c2f/c2f.hpp>

namespace tasks {

/// Progressive training (Ren et al. 2020) from t = .5, the best in the paper.
template <class Base>
struct pt : Base {
  static constexpr char const* name = "pt";
};
/// Progressive training from t = 0.
template <class Base>
struct pt0 : Base {
  static constexpr char const* name = "pt0";
  using schedule                    = c2f::schedule::ramp<0.0, 0.3, c2f::by::fraction>;
};
/// The baseline: the coarse network only.
template <class Base>
struct bl : Base {
  static constexpr char const* name = "bl";
  using refine                      = c2f::refine::no_fine_network;
};
/// The baseline, for trainings of twice the epochs: the time of two networks.
template <class Base>
struct bl2 : bl<Base> {
  static constexpr char const* name = "bl2";
};
/// Individual training: the fine network is conditioned on the truth.
template <class Base>
struct ind : Base {
  static constexpr char const* name = "ind";
  using schedule                    = c2f::schedule::always_truth;
};
/// Joint training: the fine network is conditioned on the prediction.
template <class Base>
struct jnt : Base {
  static constexpr char const* name = "jnt";
  using schedule                    = c2f::schedule::always_prediction;
};
/// Conditioned on a weighted mean of truth and prediction instead of a random choice.
template <class Base>
struct mean : Base {
  static constexpr char const* name = "mean";
  using source                      = c2f::source::mean;
};
/// Progressive training with truths that have the error of the prediction for another image.
template <class Base>
struct pt_borrow : Base {
  static constexpr char const* name = "pt_borrow";
  using source                      = c2f::source::borrow;
};
/// Conditioned on a corrupted truth instead of a prediction.
template <class Base>
struct corrupt : Base {
  static constexpr char const* name = "corrupt";
  using source                      = c2f::source::corrupt<>;
};

/// All variants by name.
template <class Base>
using variants = c2f::registry<bl<Base>, ind<Base>, jnt<Base>, pt0<Base>, pt<Base>, pt_borrow<Base>, mean<Base>, corrupt<Base>>;

/// The names of all variants; they do not depend on Base.
struct any_base {};
inline std::vector<std::string> const names = program::names_of<variants<any_base>>();

}  // namespace tasks
