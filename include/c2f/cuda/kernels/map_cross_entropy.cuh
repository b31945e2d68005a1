// c2f/cuda/kernels/map_cross_entropy.cuh: the cross-entropy of a map of classes in two launches, deterministic.
//
//   c2f::cuda::map_cross_entropy<float> const work{raw, truth, ignore, shape, largest, logarithm, partial};
//   c2f::cuda::for_blocks(work, work.blocks(), where);
//   c2f::cuda::for_blocks(c2f::cuda::map_cross_entropy_mean{partial, work.blocks(), loss, inverse_count}, 1, where);
//   c2f::cuda::map_cross_entropy_backward<float> const slope{raw, truth, ignore, shape, largest, logarithm, inverse_count, gradient};
//   c2f::cuda::fill(to_raw, shape, slope, where);
//
// raw [N, K, H, W], truth [N, H, W] -> the mean of log sum exp(raw) - raw[true class] over the pixels whose truth is not `ignore`; 0 where
// all are ignored. The gradient: (softmax(raw) - one-hot(truth)) / counted pixels, 0 for ignored ones. A truth that is neither a class nor
// `ignore` makes the loss NaN, which a training reports.
//
// Maps of one pixel are vectors; there a warp processes a row of classes:
//   c2f::cuda::for_rows(c2f::cuda::vector_cross_entropy<float>{raw, truth, ignore, K, largest, logarithm, partial}, N, where);
//
// Losses are summed in double, by a block per 2,048 pixels (a warp per row), and these sums by one block. ATen writes log_softmax, reads it
// for the loss, and computes the gradients of both, each of the size of raw. This kernel reads raw (the second time from cache) and saves
// two numbers per pixel; backward reads raw and writes the gradient. ATen's nll_loss2d is not deterministic on a GPU.
#pragma once

#include <c2f/cuda/kernels/map.cuh>
#include <c2f/cuda/kernels/softmax.cuh>

namespace c2f::cuda {

template <number Number>
struct map_cross_entropy {
  Number const* raw;
  std::int64_t const* truth;
  std::int64_t ignore;
  map_shape shape;
  float* largest;    // [N, H, W]
  float* logarithm;  // [N, H, W]: of the sum of exp(raw - largest)
  double* partial;   // [blocks, 2]: the sum of the losses and the number of pixels that are not ignored

  [[nodiscard]] C2F_HOST_DEVICE std::int64_t pixels() const { return static_cast<std::int64_t>(shape.samples) * shape.area(); }
  static constexpr std::int64_t pixels_a_block = 2048;
  [[nodiscard]] std::int64_t blocks() const { return (pixels() + pixels_a_block - 1) / pixels_a_block; }

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t block) const {
    std::int64_t const area = shape.area(), stride = shape.last ? 1 : area, begin = block * pixels_a_block;
    std::int64_t const end = begin + pixels_a_block < pixels() ? begin + pixels_a_block : pixels();
    double sum = 0, counted = 0;
    for (std::int64_t i = begin + lanes.first(); i < end; i += lanes.count()) {
      std::int64_t const label = truth[i];
      if (label == ignore) continue;
      Number const* const from = raw + (shape.last ? i * shape.channels : i / area * shape.channels * area + i % area);
      auto const [most, all]   = exponentials_of(one_lane{}, from, shape.channels, stride);
      largest[i]               = most;
      logarithm[i]             = logf(all);
      sum += label < 0 || label >= shape.channels ? NAN : logarithm[i] - (load(from[label * stride]) - most);
      counted += 1;
    }
    sum     = lanes.sum(sum);
    counted = lanes.sum(counted);
    if (lanes.first() != 0) return;
    partial[2 * block]     = sum;
    partial[2 * block + 1] = counted;
  }
};

template <number Number>
struct vector_cross_entropy {
  Number const* raw;  // [N, K]
  std::int64_t const* truth;
  std::int64_t ignore, classes;
  float* largest;
  float* logarithm;
  double* partial;  // [N, 2]

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    Number const* const from = raw + row * classes;
    auto const [most, all]   = exponentials_of(lanes, from, classes);
    if (lanes.first() != 0) return;
    std::int64_t const label = truth[row];
    largest[row]             = most;
    logarithm[row]           = logf(all);
    double const loss        = label < 0 || label >= classes ? NAN : logarithm[row] - (load(from[label]) - most);
    partial[2 * row]         = label == ignore ? 0 : loss;
    partial[2 * row + 1]     = label == ignore ? 0 : 1;
  }
};

/// The mean of the partial sums. One block.
struct map_cross_entropy_mean {
  double const* partial;
  std::int64_t blocks;  // or rows
  float* loss;
  float* inverse_count;  // 1 / number of pixels that are not ignored; 1 where there are none

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t) const {
    double sum = 0, counted = 0;
    for (std::int64_t i = lanes.first(); i < blocks; i += lanes.count()) {
      sum += partial[2 * i];
      counted += partial[2 * i + 1];
    }
    sum     = lanes.sum(sum);
    counted = lanes.sum(counted);
    if (counted < 1) counted = 1;
    if (lanes.first() != 0) return;
    *loss          = static_cast<float>(sum / counted);
    *inverse_count = static_cast<float>(1 / counted);
  }
};

template <number Number>
struct map_cross_entropy_backward {
  Number const* raw;
  std::int64_t const* truth;
  std::int64_t ignore;
  map_shape shape;
  float const* largest;
  float const* logarithm;
  float const* inverse_count;
  float const* gradient;  // of the loss

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    std::int64_t const i = static_cast<std::int64_t>(at.n) * shape.area() + at.y * shape.width + at.x, label = truth[i];
    if (label == ignore) return 0;
    float const probability = expf(load(raw[shape.at(at.n, at.c, at.y, at.x)]) - largest[i] - logarithm[i]);
    return (probability - (label == at.c ? 1.0f : 0.0f)) * (*gradient * *inverse_count);
  }
};

}  // namespace c2f::cuda
