// The four ways of training of paper 000 and one more, as tasks that differ by a line. They share one base, which is a template
// because the programs offer several networks and data sets.
#pragma once

#include <c2f/c2f.hpp>

namespace tasks {

/// Progressive training as in the paper: t from .5 to 1 in 98 of 164 epochs, written as a fraction so that shorter runs keep it.
template <class Network>
struct pt {
  static constexpr char const* name = "pt";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = Network;
  using schedule                    = c2f::schedule::ramp<0.5, 98.0 / 164, c2f::by::fraction>;
};
template <class Network>
struct bl : pt<Network> {
  static constexpr char const* name = "bl";
  using refine                      = c2f::refine::never;  // one network, the baseline
};
template <class Network>
struct ind : pt<Network> {
  static constexpr char const* name = "ind";
  using schedule                    = c2f::schedule::always_truth;  // individual training
};
template <class Network>
struct jnt : pt<Network> {
  static constexpr char const* name = "jnt";
  using schedule                    = c2f::schedule::always_prediction;  // joint training
};
template <class Network>
struct mean : pt<Network> {
  static constexpr char const* name = "mean";
  using source                      = c2f::source::mean;  // a weighted mean instead of a choice
};

/// All of them by name.
template <class Network>
using variants = c2f::registry<bl<Network>, ind<Network>, jnt<Network>, pt<Network>, mean<Network>>;

}  // namespace tasks
