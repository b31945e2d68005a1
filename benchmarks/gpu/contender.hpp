// The contenders of bench_gpu: the device, and the steps of a task in each variant (gpu.cpp lists them). The tasks are in cases/, in
// several files, so that they compile in parallel.
#pragma once

#include "../pair.hpp"

#include <c2f/cuda/runtime/launch.cuh>
#include <c2f/data/resident.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/sgd.hpp>
#include <c2f/train/training_step.hpp>

#include <ATen/Context.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>

#ifdef C2F_WITH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

constexpr at::MemoryFormat layout = at::MemoryFormat::ChannelsLast;

// ---- the device ----

/// The device, with one side stream for all work, and its memory statistics.
class machine {
 public:
  explicit machine(bool gpu) : device_(gpu ? at::kCUDA : at::kCPU) {
#ifdef C2F_WITH_CUDA
    if (gpu) {
      if (c10::cuda::device_count() == 0) throw std::runtime_error("there is no GPU here; write --device cpu --tiny to try it");
      device_ = at::Device(at::kCUDA, 0);
      c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, 0));
    }
#else
    if (gpu) throw std::runtime_error("this program was built without c2f::cuda; write --device cpu --tiny to try it");
#endif
    at::globalContext().setBenchmarkCuDNN(true);
    at::globalContext().setAllowTF32CuDNN(true);
    at::globalContext().setAllowTF32CuBLAS(true);
  }
  [[nodiscard]] at::Device device() const { return device_; }
  [[nodiscard]] bool gpu() const { return device_.is_cuda(); }
  /// The accelerator of the device; empty on the CPU.
  [[nodiscard]] c2f::accelerator accelerator() const;

  /// Waits for all work.
  void finish() const {
#ifdef C2F_WITH_CUDA
    if (gpu()) c10::cuda::device_synchronize();
#endif
  }
  /// Frees cached memory and resets the peak.
  void settle() const {
#ifdef C2F_WITH_CUDA
    if (gpu()) {
      c10::cuda::CUDACachingAllocator::emptyCache();
      c10::cuda::CUDACachingAllocator::resetPeakStats(device_.index());
    }
#endif
  }
  /// The peak of the reserved device memory, or of the process's memory.
  [[nodiscard]] double peak_megabytes() const {
#ifdef C2F_WITH_CUDA
    if (gpu()) return static_cast<double>(c10::cuda::CUDACachingAllocator::getDeviceStats(device_.index()).reserved_bytes[0].peak) / 0x1p20;
#endif
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
  }

 private:
  at::Device device_;
};

// ---- the variants ----

/// A contender: it queues steps and does not wait for them.
struct runner {
  virtual ~runner()          = default;
  virtual void go(int steps) = 0;
};

/// The same step, again and again.
struct repeated : runner {
  explicit repeated(std::function<void()> once) : step(std::move(once)) {}
  void go(int steps) override {
    for (; steps > 0; --steps) step();
  }
  std::function<void()> step;
};

/// A step with fused operations, captured at the first use; on the CPU it is not captured. It must read and write the same memory each time
/// and never depend on the host.
struct captured : repeated {
  captured(std::function<void()> once, machine const& device) : repeated(std::move(once)), where(device) {}
  void go(int steps) override {
    c2f::accelerator const here = where.accelerator();
    if (here.capture == nullptr) return repeated::go(steps);
    if (!work) {
      c2f::with_fused const scope(here.table);
      repeated::go(4);  // the libraries choose their algorithms, which must not happen in a capture
      where.finish();
      work = here.capture(step);
    }
    for (; steps > 0; --steps) work->replay();
  }
  machine where;
  std::unique_ptr<c2f::captured_graph> work;
};

template <class Net>
void prepare(Net& net, machine const& where) {
  c2f::move_to(net, where.device());
  c2f::to_channels_last(net);
}
template <class Task>
at::Tensor images(std::int64_t channels, machine const& where) {
  return at::randn({Task::batch, channels, Task::input::height, Task::input::width}).to(where.device(), at::kBFloat16).contiguous(layout);
}
template <class Task>
at::Tensor truth(machine const& where) {
  return Task::network::kind::template example<typename Task::input>(Task::batch).to(where.device());
}
inline c2f::sgd_options const options{.momentum = 0.9, .weight_decay = 1e-4};
constexpr double learning_rate = 0.01;

template <class Task>
std::unique_ptr<runner> eager(machine const& where) {
  auto const model = std::make_shared<c2f::stack<Task>>();
  prepare(*model, where);
  auto const optimizer = std::make_shared<c2f::sgd>(*model, options);
  return std::make_unique<repeated>(
      [model, optimizer, x = images<Task>(3, where), y = truth<Task>(where), epoch = std::uint64_t{0}]() mutable {
        optimizer->zero_gradients();
        c2f::pass p{.mode = c2f::train, .truth = y, .t = 0.5, .epoch = epoch++};
        (*model)(x, p);
        p.loss().backward();
        optimizer->step(learning_rate);
      });
}

/// c2f::training_step with the same batch, which is on the device, again and again.
template <class Task>
struct trained : runner {
  explicit trained(machine const& where)
      : gpu(where.gpu()),
        model(prepared(where)),
        step(*model, c2f::recipe::settings{}
                         .on(where.accelerator())
                         .bf16()
                         .batch(Task::batch)
                         .momentum(options.momentum)
                         .weight_decay(options.weight_decay)) {
    batch.images = images<Task>(3, where);
    batch.truth  = truth<Task>(where);
    for (std::int64_t id = 0; id < Task::batch; ++id) batch.ids.push_back(id);
  }
  void go(int steps) override {
    for (; steps > 0; --steps) {
      if (step.full()) step.next(/*wait=*/true);
      batch.epoch = static_cast<std::uint64_t>(record.iteration++);
      step.queue({batch}, record);
    }
    while (step.next(/*wait=*/true)) {
    }
    if (gpu && !step.captured()) throw std::runtime_error("the step was not captured: " + step.why_not_captured());
  }
  static std::unique_ptr<c2f::stack<Task>> prepared(machine const& where) {
    auto model = std::make_unique<c2f::stack<Task>>();
    prepare(*model, where);
    return model;
  }
  bool gpu;
  std::unique_ptr<c2f::stack<Task>> model;
  c2f::training_step<Task> step;
  c2f::data::batch batch;
  c2f::step_record record{.t = 0.5, .learning_rate = learning_rate};
};

/// Random images and truths, made before anything is measured; a loader copies them.
template <class Task>
struct noise {
  using image                      = typename Task::input;
  using kind                       = typename Task::network::kind;
  using truth_value                = typename kind::truth_value;
  static constexpr auto truth_dims = kind::template truth_dims<image>;
  std::int64_t count;
  at::Tensor pixels = at::randn({32, image::height, image::width, image::channels}),
             truths = kind::template example<image>(32).contiguous();

  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "noise"; }
  void read(std::int64_t id, c2f::random_stream*, float* to, truth_value* truth) const {
    std::int64_t const one = pixels.numel() / 32, each = truths.numel() / 32;
    std::memcpy(to, pixels.const_data_ptr<float>() + id % 32 * one, static_cast<std::size_t>(one) * sizeof(float));
    std::memcpy(truth, truths.const_data_ptr<truth_value>() + id % 32 * each, static_cast<std::size_t>(each) * sizeof(truth_value));
  }
};

/// The same step with the data path of fit: small images are on the device, where a kernel makes the batches; others come from the threads
/// of a loader through page-locked memory.
template <class Task>
struct fed : runner {
  static constexpr bool small = Task::input::height == 32;
  explicit fed(machine const& where) : steps(where), batches(noise<Task>{64 * Task::batch}, options_of(where)) {
    if constexpr (small) {
      using pictures = c2f::data::pictures<Task::network::kind::classes>;
      std::vector<std::uint8_t> bytes(3073 * static_cast<std::size_t>(batches.samples().size()));
      c2f::random_stream random(1, c2f::purpose::synthesis, 0, 0);
      for (auto& each : bytes) each = static_cast<std::uint8_t>(random.below(Task::network::kind::classes));
      pictures const made("noise", std::move(bytes),
                          {.record_bytes = 3073, .label_at = 0, .pixels_at = 1, .mean = {}, .deviation = {1, 1, 1}, .pad = 4, .flip = true},
                          {});
      if (where.gpu())
        steps.step.read_on_device(
            [held = c2f::data::resident(made, where.device())](auto const& ids, auto const& keys, auto const& images, auto const& truth) {
              held.batch(ids, keys, images, truth, /*augment=*/true);
            });
    }
  }
  static c2f::data::loader_options options_of(machine const& where) {
    return {.batch    = Task::batch,
            .threads  = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 2),
            .prefetch = 8,
            .read     = !(small && where.gpu()),
            .pinned   = where.gpu()};
  }
  void go(int count) override {
    for (; count > 0; --count) {
      c2f::data::batch const* next = epoch ? epoch->next() : nullptr;
      if (next == nullptr) next = epoch.emplace(batches.samples(), batches.options(), number++, 0, record).next();
      if (steps.step.full()) steps.step.next(/*wait=*/true);
      steps.step.queue({*next}, steps.record);
    }
    while (steps.step.next(/*wait=*/true)) {
    }
  }
  trained<Task> steps;
  c2f::data::loader<noise<Task>> batches;
  std::shared_ptr<c2f::data::detail::replacement_record> record = std::make_shared<c2f::data::detail::replacement_record>();
  std::optional<c2f::data::epoch_batches<noise<Task>>> epoch;
  std::uint64_t number = 0;
};

template <class Task>
std::unique_ptr<runner> the_pair(machine const& where) {
  auto const both = std::make_shared<pair<Task>>();
  c2f::initialize(*both, 0);
  prepare(*both, where);
  auto const optimizer         = std::make_shared<c2f::sgd>(*both, options, /*low=*/true);
  at::Tensor const device_rate = at::full({}, learning_rate, at::TensorOptions(at::kDouble).device(where.device()));
  return std::make_unique<captured>(
      [both, optimizer, device_rate, x = images<Task>(3, where), fine_input = images<Task>(6, where), y = truth<Task>(where)] {
        using loss = typename Task::network::kind::default_loss;
        optimizer->zero_gradients();
        loss::of(both->coarse(x, c2f::train), y).add(loss::of(both->fine(fine_input, c2f::train), y)).backward();
        optimizer->step(device_rate);
      },
      where);
}

/// The contender of a variant.
template <class Task>
std::unique_ptr<runner> make(std::string const& variant, machine const& where) {
  if (variant == "eager") return eager<Task>(where);
  if (variant == "pair") return the_pair<Task>(where);
  if (variant == "graph") return std::make_unique<trained<Task>>(where);
  if (variant == "fed") return std::make_unique<fed<Task>>(where);
  if (variant == "in_turn") {
    c2f::cuda::start_early = false;
    return std::make_unique<trained<Task>>(where);
  }
  throw std::runtime_error("no variant '" + variant + "'");
}

/// The cases of the files in cases/; nullptr where a file has no case `name`. tiny: small enough to try on a CPU.
std::unique_ptr<runner> small_images(std::string const& name, std::string const& variant, machine const& where, bool tiny);
std::unique_ptr<runner> large_images(std::string const& name, std::string const& variant, machine const& where, bool tiny);
std::unique_ptr<runner> boxes_and_masks(std::string const& name, std::string const& variant, machine const& where, bool tiny);

}  // namespace bench
