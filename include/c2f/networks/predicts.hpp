// c2f/networks/predicts.hpp: a sequence of layers with the kind it predicts.
//
//   using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
//
// The shortest way to define a network. The check of the task (task/check.hpp) verifies that the last layer has the kind's output shape.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/layers/sequential.hpp>

namespace c2f {

// Not constrained to output_kind: the task's check reports a wrong kind with a better message.
template <class Kind, class... Layers>
struct predicts : sequential<Layers...> {
  using kind = Kind;
};

}  // namespace c2f
