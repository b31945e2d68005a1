// c2f/train/step_staging.hpp: copies the inputs of a training step to the device: images, truths, and the scalars that change every step.
//
//   c2f::detail::step_staging staging(recipe);
//   staging.send_numbers(batches, slot);
//   for (c2f::detail::step_input const& input : staging.fill(batches)) …    // in the same tensors every step, for graph replay
//   for (c2f::detail::step_input const& input : staging.move(batches)) …    // in new tensors
//
// Numbers: t, the learning rate, the weight of the moving average and t of nested stacks, [3 + S] double. For accelerators with graph
// capture also the random numbers that passes request (core/pass.hpp), [batches, N * numbers per sample] double, and the keys,
// [2 + batches * N] int64: seed, epoch and sample ids. Each is one copy from page-locked memory of the step's slot (train/step_ring.hpp).
//
// Images: on a GPU, batches are copied to one of two staging buffers, in a separate stream, while the step before runs. If the samples are
// resident on the device (data/resident.hpp), batches are assembled there.
//
// Cost: device memory for the inputs of one step, and on a GPU for two more batches.
#pragma once

#include <c2f/core/pass.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/execution/communicator.hpp>
#include <c2f/execution/streams.hpp>
#include <c2f/train/average.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/step_ring.hpp>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace c2f::detail {

/// The images with the device, element type and memory format of the recipe.
inline at::Tensor ready(at::Tensor const& images, recipe::settings const& recipe) {
  // First copied, then cast: one call would cast on the host.
  return images.to(recipe.device(), images.scalar_type(), /*non_blocking=*/true)
      .to(recipe.bf16() ? at::kBFloat16 : at::kFloat)
      .contiguous(recipe.channels_last() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

/// One batch of a step, on the device.
struct step_input {
  at::Tensor images, truth;
  device_numbers numbers{};  ///< t, random numbers and keys in device memory; undefined tensors without graph capture
  std::vector<std::int64_t> ids{};
  std::uint64_t epoch = 0;
  double fraction     = 1;      ///< of the samples of the step, in this batch
  bool divided        = false;  ///< whether other processes have other samples of the batch
};

/// The device memory for the inputs of a training step, and the copies into it.
class step_staging {
 public:
  explicit step_staging(recipe::settings const& recipe)
      : recipe_(recipe),
        own_(share_of(recipe.batch(), recipe.share())),
        numbers_(at::zeros({3}, at::TensorOptions(recipe.device()).dtype(at::kDouble))) {}

  /// From now on batches are assembled on the device by read(ids [N], keys [2], images, truth).
  void read_on_device(data::device_reader read) { read_ = std::move(read); }

  /// Whether a step reads t and its random numbers from device memory.
  [[nodiscard]] bool numbers_on_device() const { return recipe_.accelerator().capture != nullptr; }
  [[nodiscard]] at::Tensor learning_rate() const { return numbers_.select(0, 1); }
  [[nodiscard]] at::Tensor average_weight() const { return numbers_.select(0, 2); }
  [[nodiscard]] at::TensorOptions double_options() const { return numbers_.options(); }

  /// A tensor in host memory, page-locked if the device is a GPU.
  [[nodiscard]] at::Tensor on_host(at::IntArrayRef sizes, at::ScalarType type) const {
    return at::empty(sizes, at::TensorOptions(type).pinned_memory(on_gpu()));
  }

  /// Queues the copies of the step's numbers to the device.
  void send_numbers(std::vector<data::batch> const& batches, step_slot& slot) {
    auto const schedules = static_cast<std::int64_t>(sent_.schedules.size());
    if (numbers_.numel() != 3 + schedules) numbers_ = at::zeros({3 + schedules}, numbers_.options());
    if (!slot.numbers.defined() || slot.numbers.numel() != numbers_.numel()) slot.numbers = on_host(numbers_.sizes(), at::kDouble);
    double* const number = slot.numbers.mutable_data_ptr<double>();
    number[0]            = slot.record.t;
    number[1]            = slot.record.learning_rate;
    number[2]            = moving_average::weight(recipe_.ema(), slot.record.iteration);
    for (std::size_t i = 0; i < sent_.schedules.size(); ++i)
      number[3 + i] = sent_.schedules[i]({slot.record.epoch, slot.record.iteration, slot.record.fraction});
    numbers_.copy_(slot.numbers, /*non_blocking=*/true);
    if (!numbers_on_device()) return;
    std::int64_t const n = recipe_.batch(), k = recipe_.accumulate();
    if (!keys_.defined()) keys_ = at::zeros({2 + k * n}, at::TensorOptions(device()).dtype(at::kLong));
    std::int64_t each_sample = 0;
    for (auto const& each : sent_.random) each_sample += each.places;
    if (!draws_.defined() || draws_.size(1) != each_sample * n) draws_ = at::zeros({k, each_sample * n}, numbers_.options());
    if (!slot.keys.defined()) slot.keys = on_host(keys_.sizes(), at::kLong);
    if (!slot.draws.defined() || slot.draws.sizes() != draws_.sizes()) slot.draws = on_host(draws_.sizes(), at::kDouble);
    std::int64_t* const key = slot.keys.mutable_data_ptr<std::int64_t>();
    double* const draw      = slot.draws.mutable_data_ptr<double>();
    key[0]                  = static_cast<std::int64_t>(recipe_.seed());
    key[1]                  = static_cast<std::int64_t>(batches.front().epoch);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      auto const& ids = batches[i].ids;
      for (std::size_t j = 0; j < ids.size(); ++j) key[2 + static_cast<std::int64_t>(i) * n + static_cast<std::int64_t>(j)] = ids[j];
      double* to = draw + static_cast<std::int64_t>(i) * each_sample * n;
      for (auto const& [what, places] : sent_.random) {
        for (std::size_t j = 0; j < ids.size(); ++j) {
          random_stream random(recipe_.seed(), what, batches[i].epoch, static_cast<std::uint64_t>(ids[j]));
          for (std::int64_t place = 0; place < places; ++place) to[static_cast<std::int64_t>(j) * places + place] = random.uniform();
        }
        to += places * n;
      }
    }
    keys_.copy_(slot.keys, /*non_blocking=*/true);
    draws_.copy_(slot.draws, /*non_blocking=*/true);
  }
  /// Sends the numbers of this step again if passes have requested others.
  void send_requested(std::vector<data::batch> const& batches, step_slot& slot) {
    if (requests_ == sent_) return;
    sent_ = requests_;
    send_numbers(batches, slot);
    for (std::size_t i = 0; i < fixed_.size(); ++i) fixed_[i].numbers = numbers_of(static_cast<std::int64_t>(i), own_);
  }

  /// The batches, copied into new tensors on the device.
  [[nodiscard]] std::vector<step_input> move(std::vector<data::batch> const& batches) const {
    std::int64_t const samples = samples_of(batches);
    std::vector<step_input> all;
    for (auto const& each : batches) {
      auto const own = static_cast<std::int64_t>(each.ids.size());
      step_input& to = all.emplace_back();
      to.numbers     = numbers_of(static_cast<std::int64_t>(all.size()) - 1, own);
      to.ids         = each.ids;
      to.epoch       = each.epoch;
      to.fraction    = fraction_of(each, samples);
      to.divided     = each.whole > 0;
      if (read_) {
        allocate(to, own);
        read_(to.numbers.ids, to.numbers.keys, to.images, to.truth);
      } else {
        to.images = ready(each.images, recipe_);
        to.truth  = each.truth.to(device(), each.truth.scalar_type(), /*non_blocking=*/true);
      }
    }
    return all;
  }

  /// Full batches, copied into the same tensors every step.
  [[nodiscard]] std::vector<step_input> const& fill(std::vector<data::batch> const& batches) {
    if (fixed_.empty()) allocate_fixed(batches);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      step_input& to = fixed_[i];
      to.numbers     = numbers_of(static_cast<std::int64_t>(i), own_);
      to.ids         = batches[i].ids;
      to.epoch       = batches[i].epoch;
      if (read_) {
        read_(to.numbers.ids, to.numbers.keys, to.images, to.truth);
      } else if (on_gpu() && batches[i].images.is_cpu()) {
        stage(batches[i], to);
      } else {
        to.images.copy_(batches[i].images);
        to.truth.copy_(batches[i].truth);
      }
    }
    return fixed_;
  }
  [[nodiscard]] std::vector<step_input> const& fixed() const { return fixed_; }

  /// The samples of a step, in all processes together.
  static std::int64_t samples_of(std::vector<data::batch> const& batches) {
    std::int64_t samples = 0;
    for (auto const& each : batches) samples += samples_of(each);
    return samples;
  }
  /// Whether all batches have the sizes of full ones, of which this process has its share.
  [[nodiscard]] bool are_full(std::vector<data::batch> const& batches) const {
    return static_cast<std::int64_t>(batches.size()) == recipe_.accumulate() &&
           samples_of(batches) == recipe_.accumulate() * recipe_.batch() &&
           std::ranges::all_of(batches, [&](data::batch const& each) { return std::ssize(each.ids) == own_; });
  }

 private:
  /// Device memory to which a batch is copied while the step before runs.
  struct staging_buffer {
    explicit staging_buffer(at::Device device) : arrived(device), free(device) {}
    at::Tensor images, truth;
    event arrived, free;  ///< recorded behind the copy into the buffer; behind the copy out of it
  };

  static std::int64_t samples_of(data::batch const& each) { return each.whole > 0 ? each.whole : std::ssize(each.ids); }
  /// The samples of process `rank` of a batch that is divided.
  static std::int64_t share_of(std::int64_t batch, process_share const& share) {
    return batch < share.of ? batch : (batch - share.rank + share.of - 1) / share.of;
  }
  // The weight of a batch in the step's sum over batches and processes. A batch that every process has counts once.
  [[nodiscard]] double fraction_of(data::batch const& each, std::int64_t samples) const {
    double const own = static_cast<double>(each.ids.size()) / static_cast<double>(samples);
    return each.whole > 0 ? own : own / recipe_.share().of;
  }
  [[nodiscard]] at::Device device() const { return recipe_.device(); }
  [[nodiscard]] bool on_gpu() const { return !device().is_cpu(); }

  [[nodiscard]] device_numbers numbers_of(std::int64_t i, std::int64_t samples) const {
    if (!numbers_on_device()) return {};
    return {.t        = numbers_.select(0, 0),
            .nested   = numbers_.narrow(0, 3, numbers_.numel() - 3),
            .uniform  = draws_.select(0, i),
            .keys     = keys_.narrow(0, 0, 2),
            .ids      = keys_.narrow(0, 2 + i * recipe_.batch(), samples),
            .batch    = recipe_.batch(),
            .requests = &requests_};
  }
  // Memory for a batch that is assembled on the device.
  void allocate(step_input& to, std::int64_t samples) const {
    data::resident_batch const made(samples, device(), recipe_.bf16() ? at::kBFloat16 : at::kFloat);
    to.images = made.images;
    to.truth  = made.truth;
  }
  void allocate_fixed(std::vector<data::batch> const& batches) {
    for (auto const& each : batches) {
      step_input& to = fixed_.emplace_back();
      to.fraction    = fraction_of(each, samples_of(batches));
      to.divided     = each.whole > 0;
      if (read_) {
        allocate(to, own_);
      } else {
        to.images = at::empty_like(ready(each.images, recipe_));
        to.truth  = at::empty_like(each.truth, at::TensorOptions(device()));
      }
    }
    if (on_gpu())
      for (std::size_t i = 0; i < 2; ++i) buffers_.emplace_back(device());
  }
  // Copies a batch to a staging buffer in a separate stream, and from there to the fixed tensors in the stream of the steps.
  void stage(data::batch const& batch, step_input const& to) {
    staging_buffer& buffer      = buffers_[staged_++ % buffers_.size()];
    c10::Stream const computing = current_stream(device());
    {
      if (!buffer.images.defined()) {
        buffer.images = at::empty_like(batch.images, at::TensorOptions(device()));
        buffer.truth  = at::empty_like(batch.truth, at::TensorOptions(device()));
        buffer.free.record(computing);
      }
      c10::Stream const copying = copying_ ? *copying_ : copying_.emplace(pool_stream(device()));
      c10::StreamGuard const there(copying);
      buffer.free.block(copying);
      buffer.images.copy_(batch.images, /*non_blocking=*/true);
      buffer.truth.copy_(batch.truth, /*non_blocking=*/true);
      buffer.arrived.record(copying);
    }
    buffer.arrived.block(computing);
    to.images.copy_(buffer.images);
    to.truth.copy_(buffer.truth);
    buffer.free.record(computing);
  }

  recipe::settings recipe_;
  std::int64_t own_;                   // samples of this process in a full batch
  at::Tensor numbers_, draws_, keys_;  // on the device: the values that change every step
  device_requests sent_;               // what numbers_ and draws_ contain
  mutable device_requests requests_;   // what passes have requested
  std::vector<step_input> fixed_;
  std::vector<staging_buffer> buffers_;
  std::size_t staged_ = 0;
  std::optional<c10::Stream> copying_;
  data::device_reader read_;
};

}  // namespace c2f::detail
