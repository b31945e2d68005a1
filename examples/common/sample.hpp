// One sample of a split as a batch of size 1, for contact sheets.
#pragma once

#include <c2f/c2f.hpp>

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

/// `count` ids spread evenly over a split.
template <class Split>
std::vector<std::int64_t> spread(Split const& split, std::int64_t count) {
  std::vector<std::int64_t> ids;
  count = std::min(count, split.size());
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(i * split.size() / count);
  return ids;
}

}  // namespace program
