// Trainings of a few milliseconds, for tests that interrupt and resume them: random images with a class, a box or a mask, a task of every
// kind, and a byte-wise comparison of the state of two trainings.
#pragma once

#include <c2f/c2f.hpp>
#include <c2f/systems/casnet.hpp>
#include <c2f/systems/rstn.hpp>

#include <cstring>
#include <string>
#include <vector>

namespace tiny {

/// Noise of `side`^2 pixels whose mean follows the truth, with every seventeenth sample unreadable and every read augmented by its stream.
template <class Kind, std::int64_t Side>
struct samples {
  using image                      = c2f::image<3, Side, Side>;
  using truth_value                = typename Kind::truth_value;
  static constexpr auto truth_dims = Kind::template truth_dims<image>;
  std::int64_t count;
  std::uint64_t seed;

  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "tiny"; }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, truth_value* truth) const {
    if (id % 17 == 3) throw c2f::input_error("sample " + std::to_string(id) + " of \"tiny\" cannot be read");
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    std::int64_t const left = draw.below(Side / 2), top = draw.below(Side / 2), size = 2 + draw.below(Side / 2 - 2);
    float const shift = augment == nullptr ? 0 : static_cast<float>(augment->uniform());
    auto const inside = [&](std::int64_t y, std::int64_t x) { return y >= top && y < top + size && x >= left && x < left + size; };
    for (std::int64_t y = 0; y < Side; ++y)
      for (std::int64_t x = 0; x < Side; ++x)
        for (int c = 0; c < 3; ++c) *pixels++ = static_cast<float>(draw.uniform()) + shift + (inside(y, x) ? 1.0f : 0.0f);
    if constexpr (truth_dims.size() == 0) {
      *truth = size % Kind::classes;
    } else if constexpr (std::same_as<truth_value, float>) {
      float const s = Side, box[5]{(static_cast<float>(left) + static_cast<float>(size) / 2) / s,
                                   (static_cast<float>(top) + static_cast<float>(size) / 2) / s, static_cast<float>(size) / s,
                                   static_cast<float>(size) / s, 1};
      std::memcpy(truth, box, sizeof box);
    } else {
      for (std::int64_t y = 0; y < Side; ++y)
        for (std::int64_t x = 0; x < Side; ++x) *truth++ = inside(y, x);
    }
  }
};
template <class Kind, std::int64_t Side>
struct dataset {
  samples<Kind, Side> train, test;
};

using layers = c2f::sequential<c2f::conv<4, 3, 2>, c2f::batch_norm, c2f::relu>;

/// t is 0, rises, and is 1, each for a third of the training.
using phases = c2f::schedule::ramp<0, 2.0 / 3, c2f::by::fraction, 1.0 / 3>;

struct class_vector {
  static constexpr char const* name = "tiny-class-vector";
  using kind                        = c2f::class_vector<3>;
  using input                       = c2f::image<3, 8, 8>;
  using network                     = c2f::predicts<kind, layers, c2f::global_average_pool, c2f::linear<3>>;
  using schedule                    = phases;
  using data                        = dataset<kind, 8>;
};
struct boxes {
  static constexpr char const* name = "tiny-boxes";
  using kind                        = c2f::boxes<1>;
  using input                       = c2f::image<3, 16, 16>;
  using network                     = c2f::localiser<layers, kind, 8>;
  using schedule                    = phases;
  using data                        = dataset<kind, 16>;
};
/// RSTN: saliency, multiplication and crops with a jitter, Dice, and its schedule of three phases.
struct dense : c2f::systems::rstn<c2f::unet<1, 2, c2f::dense<1>>, c2f::image<3, c2f::dynamic, c2f::dynamic>, 2, 2, 2> {
  static constexpr char const* name = "tiny-dense";
  using kind                        = c2f::dense<1>;
  using data                        = dataset<kind, 16>;
};
/// CasNet: shared features, a pyramid, and a gate with a loss of its own.
struct casnet : c2f::systems::casnet<c2f::dense<2>, layers, c2f::image<3, 16, 16>, 4, 2> {
  static constexpr char const* name = "tiny-casnet";
  using kind                        = c2f::dense<2>;
  using data                        = dataset<kind, 16>;
};

template <class Task>
typename Task::data data_of() {
  return {{35, 1}, {8, 2}};
}

/// Three epochs of five steps, the last step of an epoch with fewer samples; every option that has state is enabled.
inline c2f::recipe::settings recipe() {
  return c2f::recipe::settings{}
      .epochs(3)
      .batch(4)
      .accumulate(2)
      .learning_rate(0.05)
      .warm_up(4)
      .milestone(0.5)
      .ema(0.9, 2, 3)
      .clip(1)
      .weight_decay(1e-3);
}

/// Keeps a copy of the latest state: tensors, and everything else except times as a string.
struct spy {
  std::vector<at::Tensor> tensors{};
  std::string rest{};

  static void append(std::string& text, double value) { text.append(reinterpret_cast<char const*>(&value), sizeof value); }
  static void append(std::string& text, c2f::named_values const& values) {
    for (auto const& [name, value] : values) append(text += name, value);
  }
  static void append(std::string& text, c2f::epoch_record const& epoch) {
    for (double const value : {static_cast<double>(epoch.epoch), epoch.t, epoch.learning_rate, static_cast<double>(epoch.skipped)})
      append(text, value);
    append(text, epoch.losses);
    for (auto const& stage : epoch.scores) append(text += stage.stage, stage.values);
  }
  static void append(std::string& text, c2f::data::replacements const& seen) {
    append(text, static_cast<double>(seen.total));
    for (auto const id : seen.ids) append(text, static_cast<double>(id));
    for (auto const& [id, reason] : seen.reasons) append(text += reason, static_cast<double>(id));
  }

  bool restore(c2f::training_state const& state) {  // called after the observer that restored the state
    keep(state, c2f::moment::step);
    return false;
  }
  void keep(c2f::training_state const& state, c2f::moment) {
    tensors.clear();
    rest.clear();
    for (auto const* list : {&state.model, &state.optimizer_state, &state.averages, &state.generators})
      for (auto const& [path, tensor] : *list) {
        rest += path;
        tensors.push_back(tensor.detach().clone());
      }
    for (auto const value : {state.now.epoch, state.now.iteration, state.step, state.skipped_in_a_row, state.report.skipped})
      append(rest, static_cast<double>(value));
    append(rest, state.epoch);
    for (auto const& each : state.report.epochs) append(rest, each);
    append(rest, state.train);
    append(rest, state.test);
  }
};

/// Equal bit for bit, including NaN.
inline bool same_bytes(at::Tensor const& a, at::Tensor const& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  at::Tensor const x = a.detach().to(at::kCPU).contiguous(), y = b.detach().to(at::kCPU).contiguous();
  return x.numel() == 0 || std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}
inline bool same_bytes(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = same_bytes(a[i], b[i]);
  return same;
}
inline bool same_bytes(spy const& a, spy const& b) { return a.rest == b.rest && same_bytes(a.tensors, b.tensors); }

template <class Net>
std::vector<at::Tensor> tensors_of(Net const& net) {
  std::vector<at::Tensor> all;
  c2f::for_each_tensor(
      net, [&](std::string const&, c2f::state_tensor const& each, auto const&) { all.push_back(each.tensor().detach().clone()); });
  return all;
}

/// Stops a training before step `at`, or after an epoch. It looks at the previous step, so it also works when steps are queued ahead.
struct stops {
  std::int64_t at = 0, after_epoch = 0, steps = 0, epochs = 0;
  void on_start(c2f::training_start const& start) { steps = start.done; }
  void on_step(c2f::step_record const&) { ++steps; }
  [[nodiscard]] bool keeps_step(c2f::progress const& now) const { return now.iteration == at; }
  void on_epoch(c2f::epoch_record const& epoch) { epochs = epoch.epoch + 1; }
  [[nodiscard]] bool stop() const { return after_epoch > 0 ? epochs == after_epoch : steps == at; }
};

}  // namespace tiny
