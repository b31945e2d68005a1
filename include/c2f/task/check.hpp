// c2f/task/check.hpp: all compile-time messages about a task, in the order of the checks.
//
// The parts of a task are checked in order, and the first mistake ends the check: one mistake, one error. A message says what is wrong and
// what to write; the types next to it show what was found. Messages about the names of a task's members are in task/spelling.hpp, those
// about the input of a layer in layers/layer_check.hpp.
// docs/errors.md explains each message, and tests/fail has a wrong and a right task for each.
#pragma once

#include <c2f/layers/layer_check.hpp>
#include <c2f/task/complete.hpp>
#include <c2f/task/spelling.hpp>

namespace c2f {

namespace detail {

// Each function asserts one message and returns false. They are not classes, because clang does not accept a static member of a class with
// a failed assertion as a constant expression, which would be a second error.
template <class Task>
consteval bool check_input_given() {
  static_assert(mismatch<in_task<Task>>, "a task needs an input; write 'using input = c2f::image<channels, height, width>;'");
  return false;
}
template <class Task, class Got>
consteval bool check_input_image() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "a task's input is an image; write 'using input = c2f::image<channels, height, width>;'");
  return false;
}
template <class Task>
consteval bool check_network_given() {
  static_assert(mismatch<in_task<Task>>,
                "a task needs a network; write 'using network = c2f::resnet_cifar<20, c2f::class_vector<100>>;' or one of your own");
  return false;
}
template <class Task, class Got>
consteval bool check_network_predicts() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "a task's network must say what it predicts; add 'using kind = c2f::class_vector<K>;' to it, or wrap its layers in "
                "c2f::predicts<kind, layers...>");
  return false;
}
template <class Task, class Got, class Wanted>
consteval bool check_kind_of_task() {
  static_assert(
      mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
      "the task's 'kind' is not what its network predicts, so it would have no effect; leave it out, or give the network this kind");
  return false;
}
template <class Task, class Got, class Wanted>
consteval bool check_same_kind() {
  static_assert(mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
                "the coarse and the fine network predict different kinds; give both the same 'kind', since the fine one corrects the "
                "coarse one's prediction, or kinds with the same 'prediction'");
  return false;
}
template <class Task, class Got>
consteval bool check_share() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the task's share cannot be put on its input; write c2f::share::nothing, c2f::share::features<backbone>, "
                "c2f::share::backbone<backbone>, c2f::share::ending<layers> or c2f::share::weights");
  return false;
}
template <class Task, class Got>
consteval bool check_coarse_architecture() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the coarse network cannot be put on its input; an architecture has 'template <c2f::shape In> struct on' with 'output' and "
                "'operator()(at::Tensor const&, c2f::mode) const'");
  return false;
}
template <class Task, class Got, class Wanted>
consteval bool check_coarse_output() {
  static_assert(
      mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
      "the coarse network does not end in the shape of its kind; end it in a layer of that shape, or change the kind's number of classes");
  return false;
}
template <class Task, class Got>
consteval bool check_refine() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the task's refine does not say how often the fine network runs; write c2f::refine::once, c2f::refine::times<N> or "
                "c2f::refine::no_fine_network");
  return false;
}
template <class Task, class Got>
consteval bool check_schedule() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the task's schedule is not a schedule; write c2f::schedule::ramp<t0, epochs>, or a type with constexpr 'unit', 'end' and "
                "'at(double)'");
  return false;
}
template <class Task, class Got>
consteval bool check_schedule_range() {
  static_assert(mismatch<in_task<Task>, got<Got>>, "the schedule leaves [0, 1], but t is a probability; keep every t from 0 to 1");
  return false;
}
template <class Task, class Got>
consteval bool check_schedule_falls() {
  static_assert(mismatch<in_task<Task>, got<Got>>, "the schedule falls, but t may only grow; let it rise to 1, the state of inference");
  return false;
}
template <class Task, class Got>
consteval bool check_schedule_ends() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the schedule never reaches 1, so the fine network would never see what it sees at inference; end it at 1, or write "
                "c2f::schedule::always_truth if that is meant");
  return false;
}
template <class Task, class Got, class Kind>
consteval bool check_encoder() {
  static_assert(
      mismatch<in_task<Task>, got<Got>, wanted<Kind>>,
      "the encoder cannot encode what the networks predict; leave it out to get the kind's own, or give it 'template <c2f::output_kind "
      "Kind, c2f::image_shape Like> struct on' with 'output' and 'operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const'");
  return false;
}
template <class Task, class Got>
consteval bool check_features() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the features that the networks share are a vector, with which no map of the prediction can be joined; write "
                "'using encoder = c2f::encode::none;'");
  return false;
}
template <class Task, class Z, class X>
consteval bool check_fuse() {
  static_assert(mismatch<in_task<Task>, got<Z>, wanted<X>>,
                "the fuse cannot join the encoder's map with the image; c2f::fuse::concatenate needs the same height and width, "
                "c2f::fuse::multiply also the same channels (or one), c2f::fuse::zoom one channel, and c2f::fuse::crop is the last one of "
                "c2f::fuse::in_turn");
  return false;
}
template <class Task, class Got, class Kind>
consteval bool check_fuse_serves() {
  static_assert(mismatch<in_task<Task>, got<Got>, wanted<Kind>>,
                "the task's fuse cannot use what the networks predict; c2f::fuse::crop needs a prediction for every pixel (c2f::dense<K>); "
                "leave the fuse out to get c2f::fuse::concatenate");
  return false;
}
template <class Task, class Got, class Wanted>
consteval bool check_one_network() {
  static_assert(mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
                "the task's share runs one network on the image and on what the fuse gives, so the fuse must keep the image's shape; "
                "write 'using fuse = c2f::fuse::multiply;'");
  return false;
}
template <class Task, class Got, class Wanted>
consteval bool check_same_network() {
  static_assert(mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
                "c2f::share::weights needs one network for both; write that network instead of c2f::coarse_fine<...>");
  return false;
}
template <class Task, class Got>
consteval bool check_fine_architecture() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the fine network cannot be put on what the fuse gives; an architecture has 'template <c2f::shape In> struct on' for any "
                "number of channels");
  return false;
}
template <class Task, class Got, class Wanted>
consteval bool check_fine_output() {
  static_assert(
      mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
      "the fine network does not end in the shape of its kind; end it in a layer of that shape, or change the kind's number of classes");
  return false;
}
template <class Task, class Got>
consteval bool check_source() {
  static_assert(
      mismatch<in_task<Task>, got<Got>>,
      "the task's source does not serve this kind; write c2f::source::sample or c2f::source::mean (c2f::source::corrupt and borrow need a "
      "kind that says how its truths go wrong), or give it 'template <class Kind> struct on' with 'operator()(at::Tensor const& "
      "prediction, at::Tensor const& truth, c2f::pass&) const'");
  return false;
}
template <class Task, class Got>
consteval bool check_combine() {
  static_assert(
      mismatch<in_task<Task>, got<Got>>,
      "the task's combine cannot combine the coarse and the fine output; write c2f::combine::fine (c2f::combine::average, mixed and "
      "gate need probabilities of two classes or more, such as c2f::dense<2>, and a gate a kind with 'correct' and a head that fits "
      "the features); one of your own returns a c2f::combined");
  return false;
}
template <class Task, class Got>
consteval bool check_predict() {
  static_assert(
      mismatch<in_task<Task>, got<Got>>,
      "the task's predict does not make a prediction of raw numbers; write c2f::predict::probabilities (c2f::predict::logits needs "
      "two classes or more), or give it 'template <c2f::output_kind Kind> static at::Tensor of(at::Tensor const& raw)'");
  return false;
}
template <class Task, class Got>
consteval bool check_loss() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the task's loss is not a loss; give it 'static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth)'");
  return false;
}
template <class Task, class Got>
consteval bool check_loss_of_model() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "networks of this kind have no loss of their own, since a model chooses what it is computed of; train a model such as "
                "c2f::systems::region_detector instead of a task, or write a loss into the task");
  return false;
}
template <class Task, class Got, class Kind>
consteval bool check_loss_serves() {
  static_assert(mismatch<in_task<Task>, got<Got>, wanted<Kind>>,
                "the task's loss does not support what the networks predict; leave it out to get the kind's own");
  return false;
}
template <class Task, class Got, class Kind>
consteval bool check_until() {
  static_assert(mismatch<in_task<Task>, got<Got>, wanted<Kind>>,
                "c2f::refine::until compares predictions, but the kind does not say how; give the kind 'static at::Tensor "
                "agreement(at::Tensor const& a, at::Tensor const& b)', or write c2f::refine::times<N>");
  return false;
}
template <class Task, class Got>
consteval bool check_weights() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the weights of the losses are not both 0 or more with one above 0; write 'using loss_weights = "
                "c2f::loss_weights<1.0, 1.0>;'");
  return false;
}

template <class Task, class Got>
consteval bool check_ending() {
  static_assert(mismatch<in_task<Task>, got<Got>>,
                "the layers of c2f::share::ending cannot be put on what the networks give; write layers that fit the outputs of both");
  return false;
}

/// Whether a network whose output is Out ends as its kind wants: in that shape, or at a fraction of its size where the kind can resize.
template <class Kind, class Out, class Wanted>
inline constexpr bool ends_in =
    same_size<Out, Wanted> || (fraction_of<Out, Wanted> && requires(at::Tensor const& raw) { Kind::resized(raw, 1, 1); });

/// The output of a network, after the ending that the networks share.
template <class Share, class Out>
struct after_ending {
  static constexpr bool fits = true;
  using type                 = Out;
};
template <has_ending Share, class Out>
struct after_ending<Share, Out> {
  static constexpr bool fits = false;
  using type                 = Out;
};
template <has_ending Share, class Out>
  requires architecture_on<typename Share::end, Out>
struct after_ending<Share, Out> {
  static constexpr bool fits = true;
  using type                 = typename network_on<typename Share::end, Out>::output;
};

/// Whether a layer of this network does not fit its input, for which a diagnostic was emitted.
template <class Net, class In>
inline constexpr bool already_diagnosed = std::same_as<typename network_on<Net, In>::output, wrong_shape>;

// The fine network, which reads `Read`, and what is around it.
template <class T, class Seen, class Z, class Read>
consteval bool check_fine_stage() {
  using C           = complete<T>;
  using features    = typename network_on<typename C::share, typename C::input>::output;
  using kind        = typename C::kind;
  using coarse_kind = typename C::coarse_kind;
  using kind_output = typename kind::template output<typename C::input>;
  if constexpr (!architecture_on<typename C::fine, Read>) {
    return check_fine_architecture<T, typename C::fine>();
  } else if constexpr (already_diagnosed<typename C::fine, Read>) {
    return false;
  } else {
    using ended = after_ending<typename C::share, typename network_on<typename C::fine, Read>::output>;
    if constexpr (!ended::fits) {
      return check_ending<T, typename network_on<typename C::fine, Read>::output>();
    } else if constexpr (!ends_in<kind, typename ended::type, kind_output>) {
      return check_fine_output<T, typename ended::type, kind_output>();
    } else if constexpr (supervised_kind<coarse_kind> && !requires(at::Tensor const& raw) { C::predict::template of<coarse_kind>(raw); }) {
      return check_predict<T, typename C::predict>();
    } else if constexpr (supervised_kind<coarse_kind> && !source_on<typename C::source, coarse_kind>) {
      return check_source<T, typename C::source>();
    } else if constexpr (!combine_on<typename C::combine, kind, features, typename C::input>) {
      return check_combine<T, typename C::combine>();
    } else if constexpr (!walkable<typename C::encoder::template on<coarse_kind, Seen>>) {
      return check_members<typename C::encoder>();
    } else if constexpr (!walkable<network_on<typename C::fine, Read>>) {
      return check_members<typename C::fine>();
    } else if constexpr (!std::same_as<typename C::coarse, typename C::fine> && !lists_all_members<network_on<typename C::fine, Read>>()) {
      return check_all_listed<network_on<typename C::fine, Read>>();
    } else if constexpr (C::parts::encoder::given && !lists_all_members<typename C::encoder::template on<coarse_kind, Seen>>()) {
      return check_all_listed<typename C::encoder::template on<coarse_kind, Seen>>();
    } else if constexpr (!walkable<typename C::fuse::template on<Seen, Z>>) {
      return check_members<typename C::fuse>();
    } else if constexpr (!walkable<typename C::source::template on<coarse_kind>>) {
      return check_members<typename C::source>();
    } else if constexpr (!walkable<typename C::combine::template on<kind, features>>) {
      return check_members<typename C::combine>();
    } else {
      return true;
    }
  }
}

// The parts of the fine stage, after the input, the coarse network, the loss, refine and the schedule were checked.
template <class T>
consteval bool check_parts() {
  using C           = complete<T>;
  using features    = typename network_on<typename C::share, typename C::input>::output;
  using seen        = std::conditional_t<runs_twice<typename C::share>, typename C::input, features>;  // what the fuse joins with z
  using coarse_kind = typename C::coarse_kind;
  if constexpr (C::refine::rounds == 0) {
    return true;  // the baseline: no fine network and no parts for it
  } else if constexpr (vector_shape<seen> && !encoder_on<typename C::encoder, coarse_kind, seen, typename C::input>) {
    return check_features<T, seen>();
  } else if constexpr (!encoder_on<typename C::encoder, coarse_kind, seen, typename C::input>) {
    return check_encoder<T, typename C::encoder, coarse_kind>();
  } else {
    using z = typename C::encoder::template on<coarse_kind, seen>::output;
    if constexpr (!fuse_on<typename C::fuse, seen, z>) {
      return check_fuse<T, z, seen>();
    } else if constexpr (!serves_kind<typename C::fuse, coarse_kind>) {
      return check_fuse_serves<T, typename C::fuse, coarse_kind>();
    } else {
      using joined = typename C::fuse::template on<seen, z>::output;
      if constexpr (C::share::one_network && !std::same_as<typename C::coarse, typename C::fine>) {
        return check_same_network<T, typename C::fine, typename C::coarse>();
      } else if constexpr ((C::share::one_network || runs_twice<typename C::share>) && !std::same_as<joined, seen>) {
        return check_one_network<T, joined, seen>();
      } else {
        return check_fine_stage<T, seen, z, std::conditional_t<runs_twice<typename C::share>, features, joined>>();
      }
    }
  }
}

template <class C>
using coarse_output = typename after_ending<
    typename C::share,
    typename network_on<typename C::coarse, typename network_on<typename C::share, typename C::input>::output>::output>::type;
template <class Loss>
concept is_loss = requires(at::Tensor const& raw) {
  { Loss::of(raw, raw) } -> std::convertible_to<at::Tensor>;
} || requires(at::Tensor const& raw, pass const& p) {
  { Loss::of(raw, raw, p) } -> std::convertible_to<at::Tensor>;
};

/// A task on the input of a nested stack, which may be any shape: features that the outer stack shares.
template <class Task, shape In>
struct nested_task : Task {
  using input = In;
};
template <class T>
inline constexpr bool is_nested = false;
template <class Task, class In>
inline constexpr bool is_nested<nested_task<Task, In>> = true;

/// An invalid channel count or size: the diagnostic was emitted by c2f::image.
template <class In>
inline constexpr bool is_invalid = false;
template <image_shape In>
inline constexpr bool is_invalid<In> = !std::same_as<In, with_channels<In, In::channels>>;
/// Whether a task has a kind of its own, which is neither that of the fine nor that of the coarse network.
template <class T, class C>
concept names_other_kind = requires { typename T::kind; } && output_kind<typename T::kind> &&
                           !std::same_as<typename T::kind, typename C::kind> && !std::same_as<typename T::kind, typename C::coarse_kind>;

template <class T>
consteval bool check() {
  if constexpr (!check_spelling<T>()) {
    return false;
  } else if constexpr (!requires { typename T::input; }) {
    return check_input_given<T>();
  } else if constexpr (!image_shape<typename T::input> && !is_nested<T>) {
    return check_input_image<T, typename T::input>();
  } else if constexpr (is_invalid<typename T::input>) {
    return false;
  } else if constexpr (!requires { typename T::network; }) {
    return check_network_given<T>();
  } else if constexpr (!has_kind<typename both_networks<typename T::network>::coarse>) {
    return check_network_predicts<T, typename both_networks<typename T::network>::coarse>();
  } else if constexpr (!has_kind<typename both_networks<typename T::network>::fine>) {
    return check_network_predicts<T, typename both_networks<typename T::network>::fine>();
  } else {
    using C = complete<T>;
    if constexpr (!same_prediction<typename C::coarse::kind, typename C::fine::kind>) {
      return check_same_kind<T, typename C::fine::kind, typename C::coarse::kind>();
    } else if constexpr (names_other_kind<T, C>) {
      return check_kind_of_task<T, typename T::kind, typename C::kind>();
    } else if constexpr (!share_on<typename C::share, typename C::input>) {
      return check_share<T, typename C::share>();
    } else {
      using features    = typename network_on<typename C::share, typename C::input>::output;
      using kind_output = typename C::coarse_kind::template output<typename C::input>;
      if constexpr (already_diagnosed<typename C::share, typename C::input>) {
        return false;
      } else if constexpr (!architecture_on<typename C::coarse, features>) {
        return check_coarse_architecture<T, typename C::coarse>();
      } else if constexpr (already_diagnosed<typename C::coarse, features>) {
        return false;
      } else if constexpr (!walkable<network_on<typename C::share, typename C::input>>) {
        return check_members<typename C::share>();
      } else if constexpr (!walkable<network_on<typename C::coarse, features>>) {
        return check_members<typename C::coarse>();
      } else if constexpr (!lists_all_members<network_on<typename C::coarse, features>>()) {
        return check_all_listed<network_on<typename C::coarse, features>>();
      } else if constexpr (!after_ending<typename C::share, typename network_on<typename C::coarse, features>::output>::fits) {
        return check_ending<T, typename network_on<typename C::coarse, features>::output>();
      } else if constexpr (!ends_in<typename C::coarse_kind, coarse_output<C>, kind_output>) {
        return check_coarse_output<T, coarse_output<C>, kind_output>();
      } else if constexpr (std::same_as<typename C::loss, loss::of_model>) {
        return check_loss_of_model<T, typename C::kind>();
      } else if constexpr (supervised_kind<typename C::kind> && !is_loss<typename C::loss>) {
        return check_loss<T, typename C::loss>();
      } else if constexpr (supervised_kind<typename C::kind> && !serves_kind<typename C::loss, typename C::kind>) {
        return check_loss_serves<T, typename C::loss, typename C::kind>();
      } else if constexpr (!(requires {
                             { C::loss_weights::coarse + C::loss_weights::fine } -> std::convertible_to<double>;
                           })) {
        return check_weights<T, typename C::loss_weights>();
      } else if constexpr (!(C::loss_weights::coarse >= 0 && C::loss_weights::fine >= 0 &&
                             C::loss_weights::coarse + C::loss_weights::fine > 0)) {
        return check_weights<T, typename C::loss_weights>();
      } else if constexpr (!refinement<typename C::refine>) {
        return check_refine<T, typename C::refine>();
      } else if constexpr (requires { C::refine::agreement; } && !requires(at::Tensor const& raw) { C::kind::agreement(raw, raw); }) {
        return check_until<T, typename C::refine, typename C::kind>();
      } else if constexpr (!schedule_of_t<typename C::schedule>) {
        return check_schedule<T, typename C::schedule>();
      } else if constexpr (fault_of<typename C::schedule>() == schedule_fault::leaves_range) {
        return check_schedule_range<T, typename C::schedule>();
      } else if constexpr (fault_of<typename C::schedule>() == schedule_fault::falls) {
        return check_schedule_falls<T, typename C::schedule>();
      } else if constexpr (fault_of<typename C::schedule>() == schedule_fault::never_one) {
        return check_schedule_ends<T, typename C::schedule>();
      } else {
        return check_parts<T>();
      }
    }
  }
}

template <class T>
inline constexpr bool checked = check<T>();

}  // namespace detail

}  // namespace c2f
