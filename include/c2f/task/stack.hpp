// c2f/task/stack.hpp: the stack of coarse network, encoder and fine network that a task describes.
//
//   c2f::stack<cifar100> model;                               // model.coarse, model.encoder, model.fine, ... ; seed 0
//   auto [coarse, fine] = model(images, c2f::eval);           // raw outputs (logits) of both
//   c2f::pass step{.mode = c2f::train, .truth = labels, .t = 0.5};
//   model(images, step);
//   step.loss().backward();
//
// One pass (Ren et al. 2020, eq. 1 to 4):
//   f  = share(x)                      yC = coarse(f)
//   ỹ  = source(predict(yC), truth)    z  = encode(ỹ)        yF = fine(fuse(f, z))        y = combine(yC, yF)
//   loss = L(yC, truth) + L(combine's supervised output, truth) + losses added by parts        (task/training_loss.hpp)
// images are [N, C, H, W] of the task's input. At inference the conditioning ỹ is the prediction. Outputs are raw; `outputs::answer` is y.
//
// A stack is itself an architecture with a kind, so it can be the coarse network of another stack; the inner one then adds its losses to
// the same pass. Initial values are a function of (seed, path). Copying copies the tensors.
//
// Cost: the two networks, the encoder and the fuse. Errors: images of the wrong size are a c2f::input_error; c2f::train without a pass is
// a c2f::error.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/execution/broadcast_map.hpp>
#include <c2f/task/task.hpp>
#include <c2f/task/training_loss.hpp>

#include <string>
#include <utility>

namespace c2f {

/// The raw outputs of a pass, each in the output shape of the kind ([N, K] logits for class_vector<K>, [N, 4K] for boxes<K>, [N, K, H, W]
/// for dense<K>), on the device of the images. Binds as [coarse, fine].
struct outputs {
  at::Tensor coarse;
  at::Tensor fine;    ///< undefined when there is no fine network
  at::Tensor answer;  ///< the combined output (parts/combine.hpp); the coarse one if there is no fine network
  operator at::Tensor const&() const { return answer; }
};
template <std::size_t I>
at::Tensor const& get(outputs const& both) {
  if constexpr (I == 0)
    return both.coarse;
  else
    return both.fine;
}

namespace detail {

/// Placeholder for a part that a task does not have.
struct absent {
  C2F_MEMBERS();
};

template <class C, shape In, bool HasFine>
struct parts_on {
  using features = typename network_on<typename C::share, In>::output;
  using encoder  = absent;
  using source   = absent;
  using fuse     = absent;
  using fine     = absent;
  using combine  = absent;
};
template <class C, shape In>
struct parts_on<C, In, true> {
  using features = typename network_on<typename C::share, In>::output;
  using encoder  = typename C::encoder::template on<typename C::kind, features>;
  using source   = typename C::source::template on<typename C::kind>;
  using fuse     = typename C::fuse::template on<features, typename encoder::output>;
  using joined   = typename fuse::output;
  using fine     = std::conditional_t<C::share::one_network, absent, network_on<typename C::fine, joined>>;
  using combine  = typename C::combine::template on<typename C::kind, features>;
};

/// Whether the fuse broadcasts the interior of z itself.
template <class Encoder, class Fuse>
concept fuses_tiny_map = own_member<&Encoder::tiny, Encoder> && own_member<&Fuse::concat_broadcast, Fuse> &&
                         requires(Encoder const& encoder, Fuse const& fuse, at::Tensor const& tensor, pass& p) {
                           { fuse.concat_broadcast(tensor, encoder.tiny(tensor, tensor, p)) } -> std::same_as<at::Tensor>;
                         };

template <class Task, shape In>
struct stack_on {
  using completed                   = complete<Task>;
  using kind                        = typename completed::kind;
  using output                      = typename kind::template output<In>;
  static constexpr bool has_fine    = completed::refine::rounds > 0;
  static constexpr bool one_network = completed::share::one_network;
  using parts                       = parts_on<completed, In, has_fine>;

  network_on<typename completed::share, In> share;
  network_on<typename completed::coarse, typename parts::features> coarse;
  typename parts::source source;
  typename parts::encoder encoder;
  typename parts::fuse fuse;
  typename parts::fine fine;  ///< absent if one network is used for both
  typename parts::combine combine;
  C2F_MEMBERS(share, coarse, source, encoder, fuse, fine, combine);

  /// One pass; in training it needs p.truth and adds its losses to p.
  outputs operator()(at::Tensor const& x, pass& p) const {
    check_size(x);
    using C            = completed;
    at::Tensor const f = run(share, x, p);
    outputs both{run(coarse, f, p), {}, {}};
    both.answer = both.coarse;
    if (p.training()) add_supervised_loss<typename C::loss>(p, "coarse", both.coarse, C::loss_weights::coarse);
    if constexpr (has_fine) {
      both.fine = run_fine(f, p.training() ? training_conditioning(both.coarse, p) : C::predict::template of<kind>(both.coarse), p);
      if (!p.training() && C::refine::rounds > 1) refine(f, both, p);
      combined const joined = combine(f, both.coarse, both.fine, p);
      both.answer           = joined.answer;
      if (p.training()) add_supervised_loss<typename C::loss>(p, "fine", joined.supervised, C::loss_weights::fine);
    }
    return both;
  }

  outputs operator()(at::Tensor const& x, mode m) const {
    pass p{.mode = m};
    if (m == train)
      throw error("a stack trains on a truth; call it with c2f::pass{.mode = c2f::train, .truth = ..., .t = ...} instead of c2f::train");
    return (*this)(x, p);
  }

  /// The fine network's raw output, conditioned on `conditioning`, a prediction.
  at::Tensor run_fine(at::Tensor const& f, at::Tensor const& conditioning, pass& p) const
    requires has_fine
  {
    p.conditioning         = conditioning;
    auto const run_network = [&](auto const& joined) {
      if constexpr (one_network)
        return undone(fuse, run(coarse, joined, p), joined);
      else
        return undone(fuse, run(fine, joined, p), joined);
    };
    if constexpr (fuses_tiny_map<typename parts::encoder, typename parts::fuse>) {
      at::Tensor const tiny = encoder.tiny(conditioning, f, p), joined = fuse.concat_broadcast(f, tiny);
      broadcast_concat_scope const scope({joined, f, tiny});
      return run_network(joined);
    } else {
      return run_network(fuse(f, encoder(conditioning, f, p), p));
    }
  }

 private:
  // The conditioning ỹ in training.
  at::Tensor training_conditioning(at::Tensor const& raw, pass& p) const {
    if constexpr (std::same_as<typename completed::predict, predict::probabilities> && requires { source.fused(raw, p); })
      if (at::Tensor conditioning = source.fused(raw, p); conditioning.defined()) return conditioning;
    at::Tensor const prediction = completed::predict::template of<kind>(raw);
    return source(prediction, kind::from_truth(p.truth).to(prediction.scalar_type()), p);
  }
  // The rounds after the first, each conditioned on the previous prediction.
  void refine(at::Tensor const& f, outputs& both, pass& p) const {
    using C           = completed;
    at::Tensor active = disagree(both.coarse, both.fine);  // the samples that need another round; undefined: all
    if (active.defined()) p.requires_host("c2f::refine::until, which decides on the host after every round whether another one follows");
    for (int round = 1; round < C::refine::rounds; ++round) {
      if (active.defined() && !active.any().template item<bool>()) break;
      at::Tensor const next = run_fine(f, C::predict::template of<kind>(both.fine), p);
      if (active.defined()) {
        at::Tensor const still_active = active.logical_and(disagree(both.fine, next));
        std::vector<std::int64_t> sizes(static_cast<std::size_t>(next.dim()), 1);
        sizes[0]  = next.size(0);
        both.fine = at::where(active.view(sizes), next, both.fine);
        active    = still_active;
      } else {
        both.fine = next;
      }
    }
  }
  // [N]: whether the predictions of two rounds agree by less than refine::until requires; undefined without refine::until.
  static at::Tensor disagree(at::Tensor const& before, at::Tensor const& now) {
    if constexpr (requires { completed::refine::agreement; })
      return kind::agreement(before, now).lt(completed::refine::agreement);
    else
      return {};
  }
  static void check_size(at::Tensor const& x) {
    if constexpr (image_shape<In>) {
      bool const fits = x.dim() == 4 && x.size(1) == In::channels && (In::height == dynamic || x.size(2) == In::height) &&
                        (In::width == dynamic || x.size(3) == In::width);
      if (!fits) throw input_error(size_message(x));
    }
  }
  static std::string size_message(at::Tensor const& x) {
    auto const side = [](std::int64_t size) { return size == dynamic ? std::string("any") : std::to_string(size); };
    return std::string("task '") + completed::name + "' takes images [N, " + side(In::channels) + ", " + side(In::height) + ", " +
           side(In::width) + "], found " + dims_of(x) + "; resize them, or change the task's input";
  }
};

/// The stack of an invalid task: the diagnostic was emitted by the check; follow-on errors are suppressed.
template <class Task>
struct wrong_stack {
  using kind = void;
  C2F_MEMBERS();
  template <class... Any>
  outputs operator()(Any&&...) const {
    return {};
  }
};

template <class Task, bool Valid>
struct stack_base {
  using type = wrong_stack<Task>;
};
template <class Task>
struct stack_base<Task, true> {
  using type = stack_on<Task, typename Task::input>;
};

}  // namespace detail

/// A task, instantiated, with the initial values of `seed`. See the top of this file.
template <class Task>
struct stack : detail::stack_base<Task, detail::checked<Task>>::type {
  using task_type = Task;
  /// The stack on another input, when it is the coarse network of another stack.
  template <shape In>
  using on = detail::stack_on<Task, In>;

  explicit stack(std::uint64_t seed = 0) { initialize(*this, seed); }
};

}  // namespace c2f

template <>
struct std::tuple_size<c2f::outputs> : std::integral_constant<std::size_t, 2> {};
template <std::size_t I>
struct std::tuple_element<I, c2f::outputs> {
  using type = at::Tensor const;
};
