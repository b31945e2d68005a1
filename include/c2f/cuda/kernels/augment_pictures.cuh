// c2f/cuda/kernels/augment_pictures.cuh: a batch of 32x32 images from the bytes of a split: crop, flip and normalisation.
//
//   c2f::cuda::for_blocks(c2f::cuda::augment_pictures<float>{bytes, labels, normalised, ids, keys, images, truth, count, pad, flip, true},
//                         samples, where);
//
// bytes [n, 3, 32, 32], labels [n], normalised [3, 256], ids [N], keys = {seed, epoch} -> images [N, 32, 32, 3] (channels_last), truth [N].
// The random numbers are those of random_stream(seed, purpose::augment, epoch, id), computed in the kernel, so an image is bit for bit what
// data::pictures reads on the host (rounded where Number is bfloat16). An id outside of the split gives zeros and the label -100, which
// losses ignore.
//
// An image is 3,072 bytes read and 6 or 12 KB written, once; a host that makes the same images sends as much over PCIe as this kernel
// writes. Each lane computes the three random numbers itself, 20 rounds of Philox, which is cheaper than waiting for another lane.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

template <number Number>
struct augment_pictures {
  std::uint8_t const* bytes;
  std::int64_t const* labels;
  float const* normalised;
  std::int64_t const* ids;
  std::int64_t const* keys;
  Number* images;
  std::int64_t* truth;
  std::int64_t count;  // of the samples in the split
  int pad;
  bool flip;
  bool augment;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    constexpr int side = 32, plane = side * side;
    std::int64_t const id = ids[row];
    bool const found      = id >= 0 && id < count;
    if (lanes.first() == 0) truth[row] = found ? labels[id] : -100;
    int down = 0, right = 0;
    bool mirrored = false;
    if (found && augment) {
      random_stream draw(static_cast<std::uint64_t>(keys[0]), purpose::augment, static_cast<std::uint64_t>(keys[1]),
                         static_cast<std::uint64_t>(id));
      auto const shifts = static_cast<std::uint32_t>(2 * pad + 1);
      down              = static_cast<int>(draw.below(shifts)) - pad;
      right             = static_cast<int>(draw.below(shifts)) - pad;
      mirrored          = flip && draw.below(2) == 1;
    }
    std::uint8_t const* const from = bytes + 3 * plane * (found ? id : 0);
    Number* const to               = images + 3 * plane * row;
    for (std::int64_t i = lanes.first(); i < plane; i += lanes.count()) {
      int const x = static_cast<int>(i) % side, y = static_cast<int>(i) / side + down, column = (mirrored ? side - 1 - x : x) + right;
      bool const inside = y >= 0 && y < side && column >= 0 && column < side;
      for (int c = 0; c < 3; ++c)
        store(to[3 * i + c], found ? normalised[256 * c + (inside ? from[plane * c + side * y + column] : 0)] : 0.0f);
    }
  }
};

}  // namespace c2f::cuda
