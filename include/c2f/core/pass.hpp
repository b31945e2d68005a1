// c2f/core/pass.hpp: the context of one forward pass of a model.
//
//   c2f::pass step{.mode = c2f::train, .truth = labels, .t = 0.5, .seed = 1, .epoch = 3, .ids = ids};
//   auto out = model(images, step);
//   step.loss().backward();
//   at::Tensor maps = step.output("coarse.attention");          // a side output
//
// A part adds losses and side outputs to the pass, and reads random numbers and the side outputs of others from it. Names have the stage
// before them, as parameter paths do: what the coarse network of a stack calls "attention" is "coarse.attention" for the stack, and
// "coarse.coarse.attention" where that stack is the coarse network of another one.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/mode.hpp>
#include <c2f/core/progress.hpp>
#include <c2f/core/random.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f {

/// A loss that was collected during a pass.
struct named_loss {
  std::string name;  ///< with its stage
  at::Tensor value;  ///< a scalar, already weighted
};

/// A tensor that a part left in a pass for other parts, losses, metrics, pictures and the user of a predictor.
struct side_output {
  std::string name;  ///< with its stage: "coarse.attention"
  at::Tensor value;
  bool scored = false;  ///< a raw output of the model's kind: an evaluation scores it as a stage of its own
};

/// Thrown by a part that needs the host, while the pass is being captured into a graph.
struct needs_host : error {
  using error::error;
};

/// Random numbers of one purpose: `places` numbers per sample.
struct random_request {
  purpose what                                                         = purpose::source;
  std::int64_t places                                                  = 1;
  friend bool operator==(random_request const&, random_request const&) = default;
};
/// t as a function of the progress: t_at<Schedule> (parts/schedule.hpp).
using t_function = double (*)(progress const&);

/// What the passes of a step read from device memory. A pass adds what it needs, and finds it there from the next step on.
struct device_requests {
  std::vector<random_request> random = std::vector<random_request>(1);  ///< at first the source's
  std::vector<t_function> schedules{};                                  ///< of nested stacks
  friend bool operator==(device_requests const&, device_requests const&) = default;
};

/// The values that change from step to step, in device memory, so that a captured step can be replayed with new ones.
struct device_numbers {
  at::Tensor t;            ///< one double
  at::Tensor nested;       ///< [S] double: t of each of requests->schedules
  at::Tensor uniform;      ///< double in (0, 1]: for each of requests->random [batch, places], one behind the other
  at::Tensor keys;         ///< [2] int64: seed and epoch
  at::Tensor ids;          ///< [N] int64
  std::int64_t batch = 0;  ///< the samples of a full batch
  device_requests* requests{};

  /// [N, places] double, [N] for one place; undefined where they are not there yet.
  [[nodiscard]] at::Tensor uniform_of(random_request const& wanted) const {
    if (requests == nullptr) return {};
    std::int64_t before = 0;
    for (auto const& each : requests->random) {
      if (each == wanted) {
        std::int64_t const n = ids.numel(), first = before * batch;
        if (!uniform.defined() || first + batch * each.places > uniform.numel()) return {};
        at::Tensor const numbers = uniform.narrow(0, first, n * each.places);
        return each.places == 1 ? numbers : numbers.view({n, each.places});
      }
      before += each.places;
    }
    requests->random.push_back(wanted);
    return {};
  }
  /// t of a schedule, one double; nullptr: of the outermost one. Undefined where it is not there yet.
  [[nodiscard]] at::Tensor t_of(t_function schedule) const {
    if (schedule == nullptr || requests == nullptr) return t;
    for (std::size_t i = 0; i < requests->schedules.size(); ++i)
      if (requests->schedules[i] == schedule) {
        auto const at = static_cast<std::int64_t>(i);
        return nested.defined() && at < nested.numel() ? nested.select(0, at) : at::Tensor();
      }
    requests->schedules.push_back(schedule);
    return {};
  }
};

/// One forward pass of a model: the inputs of its parts, and the losses and side outputs they add.
///
///   truth          in training the truths of the batch: the kind's truth_value and [N, truth_dims...] (int64 [N] for class_vector, float
///                  [N, K, 5] for boxes, int64 [N, H, W] for dense), on the device of the images; undefined at inference
///   conditioning   ỹ, a prediction of the kind ([N, K], [N, K, 4] or [N, K, H, W]): in training the result of the source (the truth
///                  or the coarse prediction), at inference the coarse prediction or `given`; set before encoder and fuse run
struct pass {
  c2f::mode mode = eval;
  at::Tensor truth{};
  double t           = 1;               ///< probability that the fine network sees the prediction (Ren et al. 2020, eq. 3)
  std::uint64_t seed = 0, epoch = 0;    ///< random choices depend on these and the sample's id alone
  std::span<std::int64_t const> ids{};  ///< the samples of the batch; empty: 0, 1, 2, ...
  std::optional<progress> now{};        ///< in a training: nested stacks take t from their own schedules at it; else all have `t`
  std::vector<named_loss> losses{};     ///< filled by the pass
  std::vector<side_output> outputs{};   ///< filled by the pass
  at::Tensor conditioning{};
  /// At inference a conditioning in place of the coarse prediction, as a person's correction or a probe; of the first round of refinement.
  /// Ignored in training, in nested stacks, and where nobody supervises the coarse network.
  at::Tensor given{};
  std::string stage{};             ///< the prefix of names: "" in the outermost model, "coarse." in its coarse network
  t_function schedule{};           ///< of the nested stack that runs; nullptr in the outermost one
  std::uint32_t level = 0;         ///< which nested stack runs, so that each draws independent numbers; 0: the outermost one
  std::uint32_t drops = 0;         ///< dropout layers evaluated so far in this pass
  device_numbers const* device{};  ///< if set, parts that support it read t and random numbers from here
  bool capturing{};                ///< a graph capture is running: nothing may be read from the host

  [[nodiscard]] bool training() const { return mode == train; }

  /// Adds a loss, a scalar; an error if it is none.
  void add(std::string_view name, at::Tensor value) {
    if (!value.defined() || value.numel() != 1) {
      std::string const found = value.defined() ? detail::dims_of(value) : "no tensor";
      throw error("the loss '" + stage + std::string(name) + "' is " + found + "; a loss is a scalar, such as a mean over the batch");
    }
    losses.push_back({stage + std::string(name), std::move(value)});
  }
  /// The sum of the losses; an error if there is none.
  [[nodiscard]] at::Tensor loss() const {
    if (losses.empty())
      throw error(
          "this pass has no loss; only a pass of a model with .mode = c2f::train and .truth adds some, which the model may not forget");
    at::Tensor sum;
    for (auto const& each : losses) sum = sum.defined() ? sum.add(each.value) : each.value;
    return sum;
  }

  /// Adds a side output, or replaces the one of that name.
  void add_output(std::string_view name, at::Tensor value) { put(name, std::move(value), false); }
  /// Adds a raw output of the kind as a side output that evaluations score, such as one of several views.
  void add_scored_output(std::string_view name, at::Tensor raw) { put(name, std::move(raw), true); }
  /// A side output by its name in the model or part that runs: an encoder finds what its stack's coarse network calls "attention" as
  /// "coarse.attention". Undefined if there is none.
  [[nodiscard]] at::Tensor output(std::string_view name) const {
    for (auto const& each : outputs)
      if (each.name.size() == stage.size() + name.size() && each.name.starts_with(stage) && each.name.ends_with(name)) return each.value;
    return {};
  }

  /// Called by a part before it uses the host; throws needs_host during graph capture.
  void requires_host(char const* part) const {
    if (capturing) throw needs_host(part);
  }

  /// The purpose in the stack that runs, so that a nested stack draws independent numbers.
  [[nodiscard]] purpose here(purpose what) const { return static_cast<purpose>(static_cast<std::uint32_t>(what) + (level << 8)); }

  /// The samples of a tensor of `rows` rows, of which each sample has as many, one behind the other (crops of an image).
  [[nodiscard]] std::int64_t samples_of(std::int64_t rows) const {
    std::int64_t const known = !ids.empty()                                 ? static_cast<std::int64_t>(ids.size())
                               : device != nullptr && device->ids.defined() ? device->ids.numel()
                                                                            : rows;
    if (known == 0 ? rows != 0 : rows % known != 0)
      throw error("a part draws random numbers for " + std::to_string(rows) + " rows in a pass of " + std::to_string(known) +
                  " samples; give each sample the same number of rows");
    return known;
  }

  /// The random numbers of sample `index` of the batch: a function of (seed, purpose, level, epoch, id).
  [[nodiscard]] random_stream draws(purpose what, std::int64_t index) const {
    requires_host("a random choice made on the host");
    if (!ids.empty() && index >= static_cast<std::int64_t>(ids.size()))
      throw error("a part draws random numbers for sample " + std::to_string(index) + " of a pass of " + std::to_string(ids.size()) +
                  " samples; draw them for the samples of the pass");
    auto const id = ids.empty() ? index : ids[static_cast<std::size_t>(index)];
    return {seed, here(what), epoch, static_cast<std::uint64_t>(id)};
  }
  /// Random numbers in (0, 1] for the rows of x, on its device: [N] double, or [N, places]. A function of (seed, purpose, level, stage,
  /// epoch, id, number of the row among those of its sample), so that coarse and fine network draw independent numbers. A captured step
  /// finds them in device memory.
  [[nodiscard]] at::Tensor uniform(purpose what, at::Tensor const& x, std::int64_t places = 1) const {
    auto const staged       = static_cast<purpose>(static_cast<std::uint32_t>(here(what)) ^
                                                   (stage.empty() ? 0 : static_cast<std::uint32_t>(hash_of(stage)) & 0xffffff00u));
    std::int64_t const rows = x.size(0), n = samples_of(rows), each = n > 0 ? rows / n * places : 0;  // numbers of a sample
    auto const by_row = [&](at::Tensor const& found) { return places == 1 ? found.view({rows}) : found.view({rows, places}); };
    if (device != nullptr)
      if (at::Tensor const found = device->uniform_of({staged, each}); found.defined()) return by_row(found);
    requires_host("random numbers drawn on the host");
    at::Tensor numbers = at::empty({n, each}, at::TensorOptions(at::kDouble));
    double* number     = numbers.mutable_data_ptr<double>();
    for (std::int64_t i = 0; i < n; ++i) {
      random_stream draw{seed, staged, epoch, static_cast<std::uint64_t>(ids.empty() ? i : ids[static_cast<std::size_t>(i)])};
      for (std::int64_t k = 0; k < each; ++k) *number++ = draw.uniform();
    }
    return by_row(numbers).to(x.device());
  }

  /// t in device memory, one double; undefined where the pass has only the host's value.
  [[nodiscard]] at::Tensor t_on_device() const { return device == nullptr ? at::Tensor() : device->t_of(schedule); }
  /// value * t, for a loss whose weight follows the schedule.
  [[nodiscard]] at::Tensor times_t(at::Tensor const& value) const {
    if (at::Tensor const there = t_on_device(); there.defined()) return value.mul(there.to(value.scalar_type()));
    requires_host("t, read from the host");
    return value.mul(t);
  }

 private:
  void put(std::string_view name, at::Tensor value, bool scored) {
    std::string whole = stage + std::string(name);
    for (auto& each : outputs)
      if (each.name == whole) {
        each = {std::move(whole), std::move(value), scored};
        return;
      }
    outputs.push_back({std::move(whole), std::move(value), scored});
  }
};

/// Puts a stage before the names of a pass, for its lifetime.
class stage_scope {
 public:
  stage_scope(pass& p, std::string_view name) : stage_(p.stage), before_(p.stage.size()) {
    stage_ += name;
    stage_ += '.';
  }
  stage_scope(stage_scope const&)            = delete;
  stage_scope& operator=(stage_scope const&) = delete;
  ~stage_scope() { stage_.resize(before_); }

 private:
  std::string& stage_;
  std::size_t before_;
};

namespace detail {

/// A network that takes the whole pass instead of the mode: a stack, or a network with a dropout layer.
template <class Net, class Value = at::Tensor>
concept wants_pass = requires(Net const& net, Value const& x, pass& p) { net(x, p); };

template <class Net, class Value>
auto run(Net const& net, Value const& x, pass& p) {
  if constexpr (wants_pass<Net, Value>) {
    ++p.level;
    auto raw = net(x, p);
    --p.level;
    return raw;
  } else {
    return net(x, p.mode);
  }
}

}  // namespace detail

/// One pass of a network that a part or model owns: with the pass if the network takes it, else with its mode.
template <class Net, class Value>
[[nodiscard]] auto run_network(Net const& net, Value const& x, pass& p) {
  return detail::run(net, x, p);
}

}  // namespace c2f
