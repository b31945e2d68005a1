// Single samples of a split as batches of size 1, for contact sheets.
#pragma once

#include <c2f/c2f.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

namespace program {

/// The images [1, C, H, W] and the truth [1, ...] of sample `id`, without augmentation.
template <class Split>
c2f::data::batch one_sample(Split const& split, std::int64_t id) {
  using image = typename Split::image;
  std::vector<std::int64_t> dims{1};
  dims.insert(dims.end(), Split::truth_dims.begin(), Split::truth_dims.end());
  c2f::data::batch one;
  one.images = at::empty({1, image::channels, image::height, image::width},
                         at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  one.truth  = at::empty(dims, at::TensorOptions(c10::CppTypeToScalarType<typename Split::truth_value>::value));
  one.ids    = {id};
  split.read(id, nullptr, one.images.template mutable_data_ptr<float>(),
             one.truth.template mutable_data_ptr<typename Split::truth_value>());
  return one;
}

/// A sample with its picture, RGB bytes.
struct shown_sample {
  c2f::data::batch batch;
  std::vector<std::uint8_t> picture;
};

/// `count` samples spread evenly over a split. A sample that cannot be read is replaced by the next one that can and is not shown yet: what
/// the training tolerates and counts, its sheet does, too. Fewer if the split has no more.
template <class Split>
std::vector<shown_sample> spread_samples(Split const& split, std::int64_t count) {
  std::vector<shown_sample> found;
  std::set<std::int64_t> tried;
  std::int64_t const size = split.size();
  count                   = std::min(count, size);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t next = 0; next < size; ++next) {
      std::int64_t const id = (i * size / count + next) % size;
      if (!tried.insert(id).second) continue;
      try {
        found.push_back({one_sample(split, id), split.picture(id)});
        break;
      } catch (std::bad_alloc const&) {
        throw;
      } catch (std::exception const&) {  // counted by the loader
      }
    }
  return found;
}

}  // namespace program
