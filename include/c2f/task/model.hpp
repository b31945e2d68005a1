// c2f/task/model.hpp: what can be trained, evaluated and used for prediction: the stack of a task, or a model of your own.
//
//   struct my_model {
//     static constexpr char const* name = "mine";                       // in logs and checkpoints
//     using input = c2f::image<3, 32, 32>;                              // the images
//     using kind  = c2f::class_vector<10>;                              // its truth, its metrics
//     c2f::network_on<c2f::resnet_cifar<20, kind>, input> net;
//     C2F_MEMBERS(net);
//     explicit my_model(std::uint64_t seed) { c2f::initialize(*this, seed); }
//     at::Tensor operator()(at::Tensor const& images, c2f::pass& p) const {
//       at::Tensor raw = net(images, p.mode);
//       if (p.training()) p.add("loss", kind::default_loss::of(raw, p.truth));
//       return raw;
//     }
//   };
//   static_assert(c2f::model<my_model>);
//
// A pass returns the raw output for the images, in the output shape of the kind, and in training adds its losses, the same number in every
// pass. What it marks as a scored output (pass::add_scored_output) is scored as a stage of its own, else the raw output as "answer". A
// `schedule` (parts/schedule.hpp) makes t follow the progress of the training; without one t is 1. Random choices come from the pass, so
// that a training can be resumed. docs/models.md is a how-to.
//
// Errors: c2f::fit, c2f::evaluate and c2f::predictor say what a type that is no model lacks, as a compile error.
#pragma once

#include <c2f/parts/schedule.hpp>
#include <c2f/task/stack.hpp>

#include <concepts>

namespace c2f {

/// Requires:
///   M::name               a text
///   M::input              the shape of an image
///   M::kind               a supervised kind: the truths of the data and the metrics
///   model(images, pass)   const; the raw output, a tensor or c2f::outputs
///   copies, and parameters that c2f can see (C2F_MEMBERS)
/// Optional: M::schedule; model.fingerprint(), a hash of settings at run time, which a checkpoint of the training must match;
/// M::whole_batches, true if the rows of a batch belong together, as those of an episode: several processes cannot divide it.
template <class M>
concept model = std::copyable<M> && detail::walkable<M> && requires(M const& m, at::Tensor const& images, pass& p) {
  { M::name } -> std::convertible_to<char const*>;
  requires image_shape<typename M::input>;
  requires supervised_kind<typename M::kind>;
  { m(images, p) } -> std::convertible_to<at::Tensor>;
};

namespace detail {

template <class T>
struct model_of_type {
  using type = stack<T>;
};
template <model M>
struct model_of_type<M> {
  using type = M;
};
/// A model, or the stack of a task.
template <class T>
using model_of = typename model_of_type<T>::type;

template <class M>
inline constexpr bool is_stack = false;
template <class Task>
inline constexpr bool is_stack<stack<Task>> = true;

template <class M>
consteval bool check_model() {
  if constexpr (is_stack<M>) {
    static_assert(!checked<typename M::task_type> || model<M> || mismatch<in_task<typename M::task_type>>,
                  "nobody supervises what this stack predicts, so it cannot be trained alone; train it as a part of another task, such as "
                  "c2f::share::features<c2f::stack<...>>");
    return model<M>;
  } else {
    static_assert(model<M> || mismatch<got<M>>,
                  "this is neither a c2f::stack nor a model; a model has 'name', 'input' (an image shape), 'kind', "
                  "'at::Tensor operator()(at::Tensor const& images, c2f::pass&) const' and C2F_MEMBERS(...)");
    return model<M>;
  }
}
/// Whether M is a model; a diagnostic is emitted if it is not (for the stack of an invalid task: by the check of the task).
template <class M>
inline constexpr bool valid_model = check_model<M>();

template <class M>
struct schedule_of_model {
  using type = schedule::always_prediction;
};
template <class M>
  requires requires { typename M::schedule; }
struct schedule_of_model<M> {
  using type = typename M::schedule;
};
/// The schedule of t of a model.
template <class M>
using schedule_of = typename schedule_of_model<M>::type;

/// One pass of a model.
template <class M>
outputs run_model(M const& m, at::Tensor const& images, pass& p) {
  auto&& found = m(images, p);
  if constexpr (std::same_as<std::remove_cvref_t<decltype(found)>, outputs>)
    return std::forward<decltype(found)>(found);
  else
    return {{}, {}, found, p.outputs};
}

}  // namespace detail
}  // namespace c2f
