// c2f/data/objects.hpp: truths of as many objects as an image has, such as boxes: rows in a tensor of a fixed size, with their count.
//
//   static constexpr std::array<std::int64_t, 2> truth_dims{20, 6};           // of a split: at most 20 objects of 5 numbers
//   std::vector<std::array<float, 5>> found{{2, .5f, .5f, .1f, .2f}};         // in read(): class, centre x, centre y, width, height
//   c2f::data::write_objects(found, 20, pixels);
//   at::Tensor const counts = c2f::data::count_objects(truth);                // [N, 20, 6] -> [N] int64
//
// A row is an object. Its last number is 1; rows of zeros follow up to the number of rows, which is the same for all images, so that a
// batch is one tensor and a captured step has the same sizes every time. A loss multiplies by the last column, or selects the rows in which
// it is 1. For the rows of the fullest image of a batch only, write truth.narrow(1, 0, counts.max().item<std::int64_t>()), which
// synchronises.
//
// Error: input_error for more objects than rows. In a split's read that makes a faulty sample, which a loader replaces and reports, or
// refuses if it is strict. To keep some of the objects, pass only those.
#pragma once

#include <c2f/core/errors.hpp>

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f::data {

/// Writes a truth {most, Numbers + 1}.
template <std::size_t Numbers>
void write_objects(std::vector<std::array<float, Numbers>> const& objects, std::int64_t most, float* truth) {
  if (std::ssize(objects) > most)
    throw input_error("an image has " + std::to_string(objects.size()) + " objects, but its truth has rows for " + std::to_string(most) +
                      "; write more rows into truth_dims, or pass fewer objects");
  for (auto const& object : objects) {
    truth    = std::copy(object.begin(), object.end(), truth);
    *truth++ = 1;
  }
  std::fill_n(truth, (most - std::ssize(objects)) * static_cast<std::int64_t>(Numbers + 1), 0.0f);
}

/// The number of objects of each image: truth [N, most, width] -> [N] int64.
[[nodiscard]] inline at::Tensor count_objects(at::Tensor const& truth) { return truth.select(2, truth.size(2) - 1).ne(0).sum(1); }

}  // namespace c2f::data
