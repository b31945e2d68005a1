// c2f/cuda/kernels/softmax.cuh: maximum and sum of exponentials of a row of logits, for softmax and cross-entropy.
//
//   auto const [largest, sum] = c2f::cuda::exponentials_of(lanes, from, classes);      // softmax: exp(from[k] - largest) / sum
//
// All lanes get both. Reads the row twice, the second time from cache.
#pragma once

#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

struct exponentials {
  float largest;
  float sum;  ///< of exp(logit - largest)
};

/// Of from[0], from[stride], ..., `classes` of them.
template <class Lanes, number Number>
[[nodiscard]] C2F_HOST_DEVICE exponentials exponentials_of(Lanes const& lanes, Number const* from, std::int64_t classes,
                                                           std::int64_t stride = 1) {
  exponentials found{-INFINITY, 0};
  for (std::int64_t k = lanes.first(); k < classes; k += lanes.count()) found.largest = fmaxf(found.largest, load(from[k * stride]));
  found.largest = lanes.max(found.largest);
  for (std::int64_t k = lanes.first(); k < classes; k += lanes.count()) found.sum += expf(load(from[k * stride]) - found.largest);
  found.sum = lanes.sum(found.sum);
  return found;
}

}  // namespace c2f::cuda
