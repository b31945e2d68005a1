// c2f/task/spelling.hpp: compile-time messages about the names of a task's members.
//
//   struct mine {
//     using input    = c2f::image<3, 32, 32>;
//     using network  = c2f::resnet_cifar<20, c2f::class_vector<100>>;
//     using schedule = c2f::schedule::always_truth;    // with 'shedule': a task has no member 'shedule'; write 'using schedule = ...;'
//   };
//
// A task completes its missing parts by defaults, so a misspelt part would have no effect. C++20 cannot list the members of a type; refused
// are the likely misspellings below, and members with the name of a part that are no public type. Other names are the task's own.
//
// Cost: two classes for a correct task, and one lookup of each name; nothing else is instantiated.
#pragma once

#include <c2f/core/static_check.hpp>

#include <concepts>
#include <type_traits>

namespace c2f::detail {

// X(part, misspelling). Names that a task may use for itself (net, backbone, head, rounds, kind) are not among them.
// clang-format off
#define C2F_DETAIL_MISSPELT(X) \
  X(input, inputs) X(input, imput) X(input, inpt) X(input, input_shape) X(input, input_type) X(input, Input) \
  X(network, networks) X(network, netowrk) X(network, netwrok) X(network, nework) X(network, newtork) X(network, netork) \
    X(network, network_type) X(network, Network) \
  X(schedule, schedules) X(schedule, shedule) X(schedule, schedual) X(schedule, schedul) X(schedule, scheduel) X(schedule, scedule) \
    X(schedule, schdule) X(schedule, shcedule) X(schedule, schedulle) X(schedule, scheduler) X(schedule, t_schedule) \
    X(schedule, schedule_type) X(schedule, Schedule) \
  X(encoder, encoders) X(encoder, encode) X(encoder, encoding) X(encoder, enconder) X(encoder, encorder) X(encoder, enocder) \
    X(encoder, encodr) X(encoder, encoder_type) X(encoder, Encoder) \
  X(predict, predicts) X(predict, prediction) X(predict, predictions) X(predict, predictor) X(predict, perdict) X(predict, predcit) \
    X(predict, predict_type) X(predict, Predict) \
  X(source, sources) X(source, sorce) X(source, soruce) X(source, souce) X(source, scource) X(source, conditioning) \
    X(source, source_type) X(source, Source) \
  X(share, shares) X(share, shared) X(share, sharing) X(share, shar) X(share, sahre) X(share, share_type) X(share, Share) \
  X(fuse, fuses) X(fuse, fused) X(fuse, fuser) X(fuse, fusion) X(fuse, fusing) X(fuse, fuze) X(fuse, fuse_type) X(fuse, Fuse) \
  X(combine, combines) X(combine, combined) X(combine, combiner) X(combine, combination) X(combine, combining) X(combine, conbine) \
    X(combine, combin) X(combine, comine) X(combine, combine_type) X(combine, Combine) \
  X(refine, refines) X(refine, refined) X(refine, refiner) X(refine, refinement) X(refine, refining) X(refine, refin) X(refine, rifine) \
    X(refine, refine_type) X(refine, Refine) \
  X(loss, losses) X(loss, los) X(loss, loos) X(loss, lose) X(loss, loss_function) X(loss, loss_fn) X(loss, criterion) X(loss, loss_type) \
    X(loss, Loss) \
  X(loss_weights, weights) X(loss_weights, weight) X(loss_weights, loss_weight) X(loss_weights, losses_weights) \
    X(loss_weights, lossweights) X(loss_weights, loss_weigths) X(loss_weights, loss_wieghts) X(loss_weights, loss_weights_type)
// clang-format on
#define C2F_DETAIL_TASK_PARTS(X) \
  X(input) X(network) X(schedule) X(encoder) X(predict) X(source) X(share) X(fuse) X(combine) X(refine) X(loss) X(loss_weights)

#define C2F_DETAIL_DECLARE(part, wrong) int wrong;
#define C2F_DETAIL_DECLARE_PART(part) int part;
struct misspelt_names {
  C2F_DETAIL_MISSPELT(C2F_DETAIL_DECLARE)
};
struct part_names {
  C2F_DETAIL_TASK_PARTS(C2F_DETAIL_DECLARE_PART)
  int name;
};
#undef C2F_DETAIL_DECLARE
#undef C2F_DETAIL_DECLARE_PART

// A name that T has too is ambiguous in this class, whatever it is there: a type, a value, a function, a template, private.
template <class T, class Names>
struct with_names : T, Names {};
// In a class derived from T the name of T itself, which is one of its members, means a type and not a constructor.
template <class T>
struct derived_from_task : T {};

template <class T>
concept no_misspelt_name = requires {
#define C2F_DETAIL_LOOK_UP(part, wrong) &with_names<T, misspelt_names>::wrong;
  C2F_DETAIL_MISSPELT(C2F_DETAIL_LOOK_UP)
#undef C2F_DETAIL_LOOK_UP
};

/// The first misspelt member of a task; called where there is a member of a listed name, which may also be the name of the task itself.
template <class T>
consteval bool check_no_misspelt_name() {
#define C2F_DETAIL_REFUSE(part, wrong)                                                                                       \
  if constexpr (                                                                                                             \
      !requires { &with_names<T, misspelt_names>::wrong; } &&                                                                \
      !requires { requires std::is_base_of_v<typename derived_from_task<T>::wrong, T>; }) {                                  \
    static_assert(mismatch<in_task<T>>, "a task has no member '" #wrong "', so it would have no effect; write 'using " #part \
                                        " = ...;', or rename it if it is a name of your own");                               \
    return false;                                                                                                            \
  } else
  C2F_DETAIL_MISSPELT(C2F_DETAIL_REFUSE) { return true; }
#undef C2F_DETAIL_REFUSE
}

/// Whether every member that has the name of a part is a type.
template <class T>
consteval bool check_parts_are_types() {
#define C2F_DETAIL_REFUSE(part)                                                                                           \
  if constexpr (!requires { &with_names<T, part_names>::part; } && !requires { typename derived_from_task<T>::part; }) {  \
    static_assert(mismatch<in_task<T>>, "a task's '" #part                                                                \
                                        "' is no type that c2f can see (a value, a function, a template, private, or in " \
                                        "two base classes); write 'using " #part " = ...;'");                             \
    return false;                                                                                                         \
  } else
  C2F_DETAIL_TASK_PARTS(C2F_DETAIL_REFUSE) { return true; }
#undef C2F_DETAIL_REFUSE
}
#undef C2F_DETAIL_MISSPELT
#undef C2F_DETAIL_TASK_PARTS

template <class T>
concept name_is_no_text = !requires { &with_names<T, part_names>::name; } && !requires {
  { T::name } -> std::convertible_to<char const*>;
} && !requires { requires std::is_base_of_v<typename derived_from_task<T>::name, T>; };
template <class T>
consteval bool check_name() {
  static_assert(mismatch<in_task<T>>, "a task's name is a text; write 'static constexpr char const* name = \"...\";'");
  return false;
}

/// Whether the names of T's members are those of a task. T is a class that may be a base class.
template <class T>
consteval bool check_spelling() {
  if constexpr (!std::is_class_v<T> || std::is_final_v<T>) {
    return true;
  } else if constexpr (!no_misspelt_name<T> && !check_no_misspelt_name<T>()) {
    return false;
  } else if constexpr (!check_parts_are_types<T>()) {
    return false;
  } else if constexpr (name_is_no_text<T>) {
    return check_name<T>();
  } else {
    return true;
  }
}

}  // namespace c2f::detail
