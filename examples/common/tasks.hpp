// The ways of training of Ren et al. 2020 and two more, as tasks that differ by a line. They stand on a `Base` that has input and network,
// and a schedule where progressive training is not to end after .6 of the training (the paper's 30 of 50 epochs).
#pragma once

#include "common/program.hpp"

#include <c2f/c2f.hpp>

namespace tasks {

/// Progressive training from t = .5, the paper's best.
template <class Base>
struct pt : Base {
  static constexpr char const* name = "pt";
};
/// Progressive training from t = 0.
template <class Base>
struct pt0 : Base {
  static constexpr char const* name = "pt0";
  using schedule                    = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
};
template <class Base>
struct bl : Base {
  static constexpr char const* name = "bl";
  using refine                      = c2f::refine::no_fine_network;  // one network, the baseline
};
template <class Base>
struct ind : Base {
  static constexpr char const* name = "ind";
  using schedule                    = c2f::schedule::always_truth;  // individual training
};
template <class Base>
struct jnt : Base {
  static constexpr char const* name = "jnt";
  using schedule                    = c2f::schedule::always_prediction;  // joint training
};
template <class Base>
struct mean : Base {
  static constexpr char const* name = "mean";
  using source                      = c2f::source::mean;  // a weighted mean instead of a choice
};
template <class Base>
struct corrupt : Base {
  static constexpr char const* name = "corrupt";
  using source                      = c2f::source::corrupt<>;  // a damaged truth instead of a prediction
};

/// All of them by name.
template <class Base>
using variants = c2f::registry<bl<Base>, ind<Base>, jnt<Base>, pt0<Base>, pt<Base>, mean<Base>, corrupt<Base>>;

/// Their names, which no base changes.
struct any_base {};
inline std::vector<std::string> const names = program::names_of<variants<any_base>>();

}  // namespace tasks
