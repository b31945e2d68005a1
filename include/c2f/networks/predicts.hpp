// c2f/networks/predicts.hpp: layers, with a word about what they predict.
//
//   using network = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<10>>;
//
// The shortest way to a network of one's own. That the last layer ends in the kind's shape is checked with the task.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/layers/sequential.hpp>

namespace c2f {

// Not constrained to output_kind: the task's check says in a sentence what a template cannot.
template <class Kind, class... Layers>
struct predicts : sequential<Layers...> {
  using kind = Kind;
};

}  // namespace c2f
