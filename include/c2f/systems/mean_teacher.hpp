// c2f/systems/mean_teacher.hpp: a network that learns from few labels and from its own moving average.
//
//   c2f::systems::mean_teacher<photographs> model({.labelled = 8, .unlabelled = 92}, seed);     // a task with input and network
//   auto const data = c2f::systems::few_label_data(model, cifar10, 4000, seed);
//   c2f::fit(model, data, c2f::systems::few_label_recipe(model));
//
// Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017: the baseline of deep co-training (systems/deep_co_training.hpp).
// The teacher is the moving average of the student's parameters and running statistics. Losses:
//   student      the cross-entropy on the labelled rows
//   consistency  weight * t * mean((softmax(student(x)) - softmax(teacher(x')))^2), over all rows and classes
// x' is x, mirrored with probability 1/2 (without `mirror`: x, for letters and digits); the teacher runs as at inference and has no
// gradient. t warms up as the task's `schedule` says, by default gaussian_ramp<80>. The answer is the teacher's; evaluations score
// "student" and "teacher".
//
// Cost: a pass and backward pass of the student, and a pass of the teacher. Errors: input_error for options out of range and for a batch of
// another number of rows; a stack as the network, and a kind that is no class_vector, are compile errors.
#pragma once

#include <c2f/layers/frozen.hpp>
#include <c2f/systems/few_label_training.hpp>
#include <c2f/train/average.hpp>

#include <ATen/ops/where.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace c2f::systems {

struct mean_teacher_options {
  std::int64_t labelled = 8, unlabelled = 92;  ///< rows of a batch
  double weight = 100;
  double decay  = 0.99;  ///< of the average, which moves before each batch
  bool mirror   = true;  ///< the teacher sees half of the images mirrored
};

namespace detail {
template <class Network>
inline constexpr bool is_stack_network = false;
template <class Task>
inline constexpr bool is_stack_network<stack<Task>> = true;
template <class Network>
consteval bool check_one_network() {
  static_assert(
      !is_stack_network<Network> || mismatch<got<Network>>,
      "the student of a mean teacher is one network; use a network that is no c2f::stack, or co-training, whose views may be stacks");
  return true;
}
}  // namespace detail

/// A model (task/model.hpp); see the top of this file.
template <class Task>
struct mean_teacher : c2f::detail::static_check<detail::check_probabilities<typename Task::network::kind>(),
                                                detail::check_one_network<typename Task::network>()> {
  static constexpr char const* name             = "mean teacher";
  using input                                   = typename Task::input;
  using kind                                    = typename Task::network::kind;
  using schedule                                = typename detail::warm_up_of<Task>::type;
  static constexpr std::size_t labelled_streams = 1;
  static constexpr bool whole_batches = true;

  network_on<typename Task::network, input> student;
  network_on<frozen<typename Task::network>, input> teacher;
  C2F_MEMBERS(student, teacher);

  explicit mean_teacher(mean_teacher_options const& options, std::uint64_t seed = 0) : options_(options) {
    auto const& [labelled, unlabelled, weight, decay, mirror] = options;
    if (labelled < 1 || unlabelled < 1 || !(weight >= 0 && std::isfinite(weight)) || !(decay >= 0 && decay < 1))
      throw input_error("a mean teacher cannot have " + std::to_string(labelled) + " labelled and " + std::to_string(unlabelled) +
                        " unlabelled rows, weight " + std::to_string(weight) + " and decay " + std::to_string(decay) +
                        "; write 1 or more rows of both, no weight below 0 and a decay from 0 to below 1");
    initialize(*this, seed);
    average(0);
  }
  [[nodiscard]] mean_teacher_options const& options() const { return options_; }
  [[nodiscard]] std::int64_t rows() const { return options_.labelled + options_.unlabelled; }
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t const hash =
        data::detail::hash_after(data::detail::hash_after(data::detail::empty_hash, std::bit_cast<std::uint64_t>(options_.weight)),
                                 std::bit_cast<std::uint64_t>(options_.decay));
    return options_.mirror ? hash : data::detail::hash_after(hash, 0);
  }

  at::Tensor operator()(at::Tensor const& images, pass& p) const {
    if (p.training()) return learn(images, p);
    p.add_scored_output("student", run_network(student, images, p));
    at::Tensor const answer = teacher(images, eval);
    p.add_scored_output("teacher", answer);
    return answer;
  }

 private:
  at::Tensor learn(at::Tensor const& images, pass& p) const {
    detail::check_rows("a mean teacher", images, rows());
    average(options_.decay);  // of the parameters after the step before
    at::Tensor const raw  = run_network(student, images, p);
    at::Tensor const seen = [&] {
      at::NoGradGuard const no_gradients;
      at::Tensor seen_by_teacher = images;
      if (options_.mirror)
        seen_by_teacher = at::where(p.uniform(purpose::noise, images).le(0.5).view({-1, 1, 1, 1}), images.flip(3), images);
      return teacher(seen_by_teacher, eval).to(at::kFloat).softmax(1);
    }();
    p.add("student", kind::default_loss::of(raw, p.truth));
    p.add("consistency", p.times_t(raw.to(at::kFloat).softmax(1).sub(seen).square().mean().mul(options_.weight)));
    return raw;
  }
  // teacher = decay * teacher + (1 - decay) * student
  void average(double decay) const {
    std::vector<at::Tensor> from;
    for_each_tensor(student, [&](std::string const&, state_tensor const& each, state_traits const&) { from.push_back(each.tensor()); });
    std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
    std::size_t i = 0;
    for_each_tensor(teacher, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
      if (traits.on_host)
        each.tensor().copy_(from[i++]);
      else
        pairs.emplace_back(from[i++], each.tensor());
    });
    moving_average(std::move(pairs)).update(1 - decay);
  }

  mean_teacher_options options_;
};

}  // namespace c2f::systems
