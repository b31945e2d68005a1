// c2f/cuda/kernels/augment_pictures.cuh: a batch of 32x32 pictures from the bytes of a split, cropped, mirrored and normalised.
//
//   c2f::cuda::for_blocks(c2f::cuda::augment_pictures<float>{bytes, labels, normalised, ids, keys, images, truth, held, pad, flip, true},
//                         samples, where);
//
// bytes [n, 3, 32, 32], labels [n], normalised [3, 256], ids [N], keys = {seed, epoch} -> images [N, 32, 32, 3] (channels last), truth [N].
// The random numbers are those of random_stream(seed, purpose::augment, epoch, id), drawn where they are needed, so an image is bit for bit
// what data::pictures reads on the host, rounded where Number is bfloat16. An id that is no sample's gives zeros and -100, which losses
// ignore: the end of a batch that is not full.
//
// A picture is 3,072 bytes read and 6 or 12 KB written, once; a host that makes the same images sends as much through PCIe as this writes.
// Each lane draws the three numbers for itself, 20 rounds of Philox, rather than wait for another one.
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
  std::int64_t held;  // samples
  int pad;
  bool flip;
  bool augment;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    constexpr int side = 32, plane = side * side;
    std::int64_t const id = ids[row];
    bool const found      = id >= 0 && id < held;
    if (lanes.first() == 0) truth[row] = found ? labels[id] : -100;
    int down = 0, right = 0;
    bool mirrored = false;
    if (found && augment) {
      random_stream draw(static_cast<std::uint64_t>(keys[0]), purpose::augment, static_cast<std::uint64_t>(keys[1]),
                         static_cast<std::uint64_t>(id));
      auto const places = static_cast<std::uint32_t>(2 * pad + 1);
      down              = static_cast<int>(draw.below(places)) - pad;
      right             = static_cast<int>(draw.below(places)) - pad;
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
