// c2f/data/resident.hpp: a split of small pictures whose bytes are kept in device memory, where batches are assembled and augmented.
//
//   c2f::data::resident train(data.train, at::kCUDA);      // CIFAR: 154 MB
//   train.batch(ids, keys, images, truth, true);           // all tensors on the device; true: augmented
//
// ids are the samples; keys are the bits of (seed, epoch). The batch is bit for bit that of data::loader for the same ids, seed and epoch,
// rounded if images are bfloat16. An id below 0 means no sample: zeros, and a truth of -100, which losses ignore.
//
// Cost: with the fused operation (execution/fused_operations.hpp) one launch a batch, no allocation and no synchronisation, so it may be
// part of a captured graph. Without it the split is read on the host; ids are copied to the host and images to the device. Errors:
// input_error for tensors of other sizes, types, devices or memory formats than documented at batch().
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/labels.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/split.hpp>
#include <c2f/execution/try_fused.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace c2f::data {

namespace detail {
/// The underlying pictures of a split.
template <std::int64_t Classes>
pictures<Classes> const& pictures_of(pictures<Classes> const& samples) {
  return samples;
}
template <std::int64_t Classes>
pictures<Classes> const& pictures_of(taken<pictures<Classes>> const& samples) {
  return samples.whole();
}

/// input_error for a label that is not one of `labels`.
template <class S>
void check_labels(S const& samples, c2f::detail::truth_labels labels) {
  if (labels.count == 0) return;
  for (std::int64_t id = 0; id < samples.size(); ++id)
    if (std::int64_t const label = pictures_of(samples).label(id); !c2f::detail::has_label(labels, label))
      c2f::detail::throw_label(text_of_sample(samples, id), label, labels.count);
}
}  // namespace detail

/// A split that can be kept in device memory: pictures, or the first n of them, in the loader's order.
template <class S>
concept can_be_resident = split<S> && !ordered_split<S> && requires(S const& samples) { detail::pictures_of(samples); };

/// Assembles a batch on a device: ids [N] int64, keys [2] int64 -> images, truth, which it writes.
using device_reader = std::function<void(at::Tensor const& ids, at::Tensor const& keys, at::Tensor const& images, at::Tensor const& truth)>;

/// Output tensors for a batch of n samples: images [n, 3, 32, 32] of the given type, channels_last, and truth [n] int64.
struct resident_batch {
  at::Tensor images, truth;
  resident_batch(std::int64_t n, at::Device device, at::ScalarType type)
      : images(at::empty({n, 3, 32, 32}, at::TensorOptions(device).dtype(type).memory_format(at::MemoryFormat::ChannelsLast))),
        truth(at::empty({n}, at::TensorOptions(device).dtype(at::kLong))) {}
};

/// A split in device memory.
template <can_be_resident S>
class resident {
 public:
  /// Copies all pictures to the device: 3 KB per picture.
  resident(S samples, at::Device device) : samples_(std::move(samples)) {
    auto const& pictures   = detail::pictures_of(samples_);
    std::int64_t const n   = samples_.size();
    at::Tensor const bytes = at::empty({n, 3, 32, 32}, at::TensorOptions(at::kByte)), labels = at::empty({n}, at::TensorOptions(at::kLong)),
                     normalised = at::empty({3, 256}, at::TensorOptions(at::kFloat));
    auto* byte                  = bytes.mutable_data_ptr<std::uint8_t>();
    auto* label                 = labels.mutable_data_ptr<std::int64_t>();
    for (std::int64_t id = 0; id < n; ++id, byte += 3072) {
      std::copy_n(pictures.planes(id), 3072, byte);
      *label++ = pictures.label(id);
    }
    for (std::size_t c = 0; c < 3; ++c) std::ranges::copy(pictures.normalised()[c], normalised.mutable_data_ptr<float>() + 256 * c);
    held_ = {bytes.to(device), labels.to(device), normalised.to(device), pictures.format().pad, pictures.format().flip};
  }

  [[nodiscard]] S const& samples() const { return samples_; }
  [[nodiscard]] std::int64_t size() const { return samples_.size(); }
  [[nodiscard]] at::Device device() const { return held_.bytes.device(); }

  /// ids [N] int64, keys [2] int64 -> writes images [N, 3, 32, 32] float or bfloat16, channels_last, and truth [N] int64. All on device().
  void batch(at::Tensor const& ids, at::Tensor const& keys, at::Tensor const& images, at::Tensor const& truth, bool augment) const {
    std::int64_t const n = ids.numel();
    require(ids, "ids", at::kLong, {n});
    require(keys, "keys", at::kLong, {2});
    require(truth, "truth", at::kLong, {n});
    require(images, "images", images.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat, {n, 3, 32, 32});
    if (n == 0) return;
    if (try_fused::augment_pictures(held_, ids, keys, augment, images, truth)) return;
    read_on_the_host(ids.cpu(), keys.cpu(), augment, images, truth);
  }

 private:
  void require(at::Tensor const& tensor, char const* name, at::ScalarType type, at::IntArrayRef dims) const {
    bool const dense = tensor.is_contiguous(dims.size() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    if (tensor.device() != device() || tensor.scalar_type() != type || tensor.sizes() != dims || !dense)
      throw input_error(std::string("a resident split's batch got ") + name + " that do not fit: they must be on " + device().str() +
                        ", contiguous, images channels last, and of the sizes and types documented in data/resident.hpp");
  }

  void read_on_the_host(at::Tensor const& ids, at::Tensor const& keys, bool augment, at::Tensor const& images,
                        at::Tensor const& truth) const {
    std::int64_t const n    = ids.numel();
    at::Tensor const pixels = at::empty({n, 3, 32, 32}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast)),
                     labels = at::empty({n}, at::TensorOptions(at::kLong));
    auto const* id          = ids.const_data_ptr<std::int64_t>();
    auto const* key         = keys.const_data_ptr<std::int64_t>();
    auto* pixel             = pixels.mutable_data_ptr<float>();
    auto* label             = labels.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < n; ++i, pixel += 3072, ++label) {
      if (id[i] < 0 || id[i] >= size()) {
        std::fill_n(pixel, 3072, 0.0f);
        *label = -100;
        continue;
      }
      random_stream draw{static_cast<std::uint64_t>(key[0]), purpose::augment, static_cast<std::uint64_t>(key[1]),
                         static_cast<std::uint64_t>(id[i])};
      samples_.read(id[i], augment ? &draw : nullptr, pixel, label);
    }
    images.copy_(pixels);
    truth.copy_(labels);
  }

  S samples_;
  picture_source held_;
};

}  // namespace c2f::data
