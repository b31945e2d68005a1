// c2f/cuda/kernels/sample_source.cuh: samples the conditioning of the fine network for class vectors, in one kernel.
//
//   c2f::cuda::for_rows(c2f::cuda::sample_source<float>{raw, truth, uniform, &t, conditioning, classes}, samples, where);
//
// raw [N, K] logits, truth [N] classes, uniform [N] numbers in (0, 1], t one number -> conditioning [N, K]: row i is one-hot of the truth
// where uniform[i] > t, else the softmax of raw (Ren et al. 2020, eq. 3). A truth that is no class, such as -1, gives a row of zeros.
// The gradient: that of the softmax for rows with the prediction, zero for rows with the truth.
//
// ATen needs a softmax, a scatter, a comparison and a blend, five passes over [N, K]. This kernel reads raw three times, the second and the
// third time from cache, writes once, and reads nothing of raw where the truth is chosen.
#pragma once

#include <c2f/cuda/kernels/softmax.cuh>

namespace c2f::cuda {

template <number Number>
struct sample_source {
  Number const* raw;
  std::int64_t const* truth;
  double const* uniform;
  double const* t;
  Number* conditioning;
  std::int64_t classes;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    Number* const to = conditioning + row * classes;
    if (uniform[row] > *t) {
      for (std::int64_t k = lanes.first(); k < classes; k += lanes.count()) store(to[k], k == truth[row] ? 1.0f : 0.0f);
      return;
    }
    Number const* const from  = raw + row * classes;
    auto const [largest, sum] = exponentials_of(lanes, from, classes);
    for (std::int64_t k = lanes.first(); k < classes; k += lanes.count()) store(to[k], expf(load(from[k]) - largest) / sum);
  }
};

/// The gradient of raw from that of the conditioning.
template <number Number>
struct sample_source_backward {
  Number const* conditioning;
  Number const* gradient;
  double const* uniform;
  double const* t;
  Number* to_raw;
  std::int64_t classes;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    Number* const to = to_raw + row * classes;
    bool const truth = uniform[row] > *t;
    float common     = 0;
    if (!truth)
      for (std::int64_t k = lanes.first(); k < classes; k += lanes.count())
        common += load(conditioning[row * classes + k]) * load(gradient[row * classes + k]);
    common = lanes.sum(common);
    for (std::int64_t k = lanes.first(); k < classes; k += lanes.count())
      store(to[k], truth ? 0.0f : load(conditioning[row * classes + k]) * (load(gradient[row * classes + k]) - common));
  }
};

}  // namespace c2f::cuda
