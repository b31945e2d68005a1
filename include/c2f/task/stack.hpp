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
// A stack is itself an architecture with a kind, so it can be the coarse network of another stack (docs/stages.md): three stages are a stack
// of two as the coarse network of a third. The inner stack has its own source, and its own schedule in a training. It supervises its own
// outputs; the outer stack adds only the loss of its fine output, and its loss_weights::coarse scales the losses of the inner one. Names of
// its losses and side outputs begin with "coarse.". A task without an input is such a stage alone, on whatever the outer task gives it.
//
// Initial values are a function of (seed, path). Copying copies the tensors. A stack is a model (task/model.hpp).
//
// Cost: the two networks, the encoder and the fuse. Errors: images and truths of a wrong size, element type or device, labels out of range
// (on the CPU; on a GPU they are not read) and a t outside of 0 to 1 are a c2f::input_error, as is a network whose output is not what it
// declares; c2f::train without a pass is a c2f::error. What LibTorch refuses is a c2f::libtorch_error.
#pragma once

#include <c2f/execution/broadcast_map.hpp>
#include <c2f/task/check_tensors.hpp>
#include <c2f/task/task.hpp>
#include <c2f/task/training_loss.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f {

/// The raw outputs of a pass, each in the output shape of the kind ([N, K] logits for class_vector<K>, [N, 4] or [N, 5K] for boxes<K>,
/// [N, K, H, W] for dense<K>; an array of tensors where that is several maps), on the device of the images. Binds as [coarse, fine].
template <class Raw>
struct basic_outputs {
  Raw coarse;
  Raw fine;                         ///< undefined when there is no fine network
  Raw answer;                       ///< the combined output (parts/combine.hpp); the coarse one if there is no fine network
  std::vector<side_output> side{};  ///< side outputs of the pass; at inference also what evaluations score, by stage
  operator Raw const&() const { return answer; }
  /// A side output by its name, such as "coarse.attention"; undefined if there is none.
  [[nodiscard]] at::Tensor output(std::string_view name) const {
    for (auto const& each : side)
      if (each.name == name) return each.value;
    return {};
  }
};
using outputs = basic_outputs<at::Tensor>;
template <std::size_t I, class Raw>
Raw const& get(basic_outputs<Raw> const& both) {
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

template <class Share, class Raw>
struct ending_on {
  using type = absent;
};
template <has_ending Share, class Raw>
struct ending_on<Share, Raw> {
  using type = network_on<typename Share::end, Raw>;
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
template <class Share, class Joined>
struct read_by_fine {
  using type = Joined;
};
template <class Share, class Joined>
  requires runs_twice<Share>
struct read_by_fine<Share, Joined> {
  using type = typename network_on<Share, Joined>::output;
};
template <class C, shape In>
struct parts_on<C, In, true> {
  using features = typename network_on<typename C::share, In>::output;
  using seen     = std::conditional_t<runs_twice<typename C::share>, In, features>;  ///< what the fuse joins with z
  using encoder  = typename C::encoder::template on<typename C::coarse_kind, seen>;
  using source   = typename C::source::template on<typename C::coarse_kind>;
  using fuse     = typename C::fuse::template on<seen, typename encoder::output>;
  using joined   = typename fuse::output;
  using read     = typename read_by_fine<typename C::share, joined>::type;  ///< the input of the fine network
  using fine     = std::conditional_t<C::share::one_network, absent, network_on<typename C::fine, read>>;
  using combine  = typename C::combine::template on<typename C::kind, features>;
};

/// Whether the fuse broadcasts the interior of z itself.
template <class Encoder, class Fuse>
concept fuses_tiny_map = own_member<&Encoder::tiny, Encoder> && own_member<&Fuse::concat_broadcast, Fuse> &&
                         requires(Encoder const& encoder, Fuse const& fuse, at::Tensor const& tensor, pass& p) {
                           { fuse.concat_broadcast(tensor, encoder.tiny(tensor, tensor, p)) } -> std::same_as<at::Tensor>;
                         };

/// Makes a stack in a stack run at its own level and with t of its own schedule, for its lifetime.
class nested_scope {
 public:
  nested_scope(pass& p, std::uint32_t level, t_function schedule) : pass_(p), level_(p.level), schedule_(p.schedule), t_(p.t) {
    p.level = level;
    if (schedule == nullptr) return;
    p.schedule = schedule;
    if (p.now) p.t = schedule(*p.now);
  }
  nested_scope(nested_scope const&)            = delete;
  nested_scope& operator=(nested_scope const&) = delete;
  ~nested_scope() { pass_.level = level_, pass_.schedule = schedule_, pass_.t = t_; }

 private:
  pass& pass_;
  std::uint32_t level_;
  t_function schedule_;
  double t_;
};
/// The places of a nested stack; each draws its own random numbers.
enum class place : std::uint32_t { coarse = 1, fine = 2, share = 3 };

template <class Task, shape In>
struct stack_on {
  using completed                         = complete<Task>;
  using input                             = In;
  using kind                              = typename completed::kind;
  using schedule                          = typename completed::schedule;
  using output                            = typename kind::template output<In>;
  static constexpr char const* name       = completed::name;
  static constexpr bool has_fine          = completed::refine::rounds > 0;
  static constexpr bool one_network       = completed::share::one_network;
  static constexpr bool twice             = runs_twice<typename completed::share>;
  static constexpr bool supervises_itself = true;
  using parts                             = parts_on<completed, In, has_fine>;
  using raw                               = value_of<output>;
  using outputs                           = basic_outputs<raw>;
  using coarse_network                    = network_on<typename completed::coarse, typename parts::features>;
  using fine_network                      = std::conditional_t<one_network, coarse_network, typename parts::fine>;

  network_on<typename completed::share, In> share;
  coarse_network coarse;
  typename parts::source source;
  typename parts::encoder encoder;
  typename parts::fuse fuse;
  typename parts::fine fine;  ///< absent if one network is used for both
  typename parts::combine combine;
  typename ending_on<typename completed::share, typename coarse_network::output>::type end;
  C2F_MEMBERS(share, coarse, source, encoder, fuse, fine, combine, end);

  /// One pass; in training it needs p.truth and adds its losses to p.
  outputs operator()(value_of<In> const& x, pass& p) const {
    check_images(x);
    if (p.training()) check_training(x, p);
    return explained([&] { return run_pass(x, p); }, [&] { return where(x, p); });
  }

  outputs operator()(value_of<In> const& x, mode m) const {
    pass p{.mode = m};
    if (m == train)
      throw error("a stack trains on a truth; call it with c2f::pass{.mode = c2f::train, .truth = ..., .t = ...} instead of c2f::train");
    return (*this)(x, p);
  }

  /// The fine network's raw output, conditioned on `conditioning`, a prediction. f: what the fuse joins with z, the features or, where a
  /// shared backbone runs twice, the image.
  template <class F, class Conditioning>
  raw run_fine(F const& f, Conditioning const& conditioning, pass& p) const
    requires has_fine
  {
    if constexpr (std::same_as<Conditioning, at::Tensor>) p.conditioning = conditioning;
    auto const run_network = [&](auto const& joined) {
      [[maybe_unused]] std::size_t const first = p.losses.size();
      auto const found                         = [&] {
        if constexpr (one_network)
          return run_stage<place::fine>("fine", coarse, joined, p);
        else if constexpr (twice)
          return run_stage<place::fine>("fine", fine, run_stage<place::share>("fine", share, joined, p), p);
        else
          return run_stage<place::fine>("fine", fine, joined, p);
      }();
      if constexpr (detail::supervises_itself<fine_network>) scale_losses(p, first, completed::loss_weights::fine);
      if constexpr (requires { fuse.undo(found, joined); })
        return ended(undone(fuse, full_size<kind>(found, joined), joined), p);
      else
        return ended(found, p);
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
  outputs run_pass(value_of<In> const& x, pass& p) const {
    using C                 = completed;
    auto const f            = run_stage<place::share>(twice ? "coarse" : "share", share, x, p);
    std::size_t const first = p.losses.size();
    outputs both{ended(full_size<typename C::coarse_kind>(run_stage<place::coarse>("coarse", coarse, f, p), x), p), {}, {}};
    both.answer = both.coarse;
    if (p.training()) {
      if constexpr (detail::supervises_itself<coarse_network>)
        scale_losses(p, first, C::loss_weights::coarse);
      else
        supervise<typename C::coarse_loss>(p, "coarse", both.coarse, C::loss_weights::coarse);
    }
    if constexpr (has_fine) {
      auto const& seen = [&]() -> auto const& {
        if constexpr (twice)
          return x;
        else
          return f;
      }();
      both.fine = full_size<kind>(run_fine(seen, conditioning_of(both.coarse, p), p), x);
      if constexpr (C::refine::rounds > 1 && supervised_kind<kind>)
        if (!p.training()) refine(seen, both, x, p);
      auto joined = combine(f, both.coarse, both.fine, p);
      if constexpr (!supervised_kind<kind>)  // features: every round is combined with what the ones before it gave
        for (int round = 1; round < C::refine::rounds; ++round) {
          both.fine = full_size<kind>(run_fine(seen, joined.answer, p), x);
          joined    = combine(f, joined.answer, both.fine, p);
        }
      both.answer = joined.answer;
      if (p.training() && (!detail::supervises_itself<fine_network> || !is_same(joined.supervised, both.fine)))
        supervise<typename C::loss>(p, "fine", joined.supervised, C::loss_weights::fine);
    }
    if (!p.training()) add_scored_outputs(both, p);
    if (p.stage.empty()) both.side = p.outputs;
    return both;
  }

  // Runs a network of the stack, with the name of its stage.
  template <place Place, class Net, class Value>
  static auto run_stage(char const* stage, Net const& net, Value const& x, pass& p) {
    using value = value_of<typename Net::output>;
    stage_scope const names(p, stage);
    [[maybe_unused]] std::size_t const before = p.outputs.size();
    if constexpr (requires { typename Net::completed; }) {  // a stack
      constexpr t_function own = Net::has_fine ? &t_at<typename Net::schedule> : nullptr;
      nested_scope const nested(p, 3 * p.level + static_cast<std::uint32_t>(Place), own);
      value found = net(x, p);
      if constexpr (!std::same_as<typename Net::kind, kind>)  // metrics of this stack's kind do not fit them
        for (std::size_t i = before; i < p.outputs.size(); ++i) p.outputs[i].scored = false;
      return found;
    } else {
      value found = detail::run(net, x, p);
      if constexpr (std::same_as<value, at::Tensor> && std::same_as<Value, at::Tensor>)
        check_output<typename Net::output>(completed::name, stage, x, found);
      return found;
    }
  }
  // What evaluations score. In a nested stack its answer is left out, since it is the outer stack's output of that stage.
  static void add_scored_outputs(outputs const& both, pass& p) {
    if constexpr (std::same_as<raw, at::Tensor> && supervised_kind<kind>) {
      auto const add = [&](char const* stage, at::Tensor const& found) {
        if (p.stage.empty() || !found.is_same(both.answer)) p.add_scored_output(stage, found);
      };
      if constexpr (std::same_as<typename completed::coarse_kind, kind>) add("coarse", both.coarse);
      if constexpr (has_fine) {
        add("fine", both.fine);
        if (p.stage.empty() && !both.answer.is_same(both.coarse) && !both.answer.is_same(both.fine)) add("answer", both.answer);
      }
    }
  }
  // A network may end at a fraction of the size of x.
  template <class Kind, class Raw, class X>
  static Raw full_size(Raw const& found, X const& x) {
    if constexpr (std::is_convertible_v<X const&, at::Tensor const&>)
      return sized_as<Kind>(found, x);
    else
      return found;
  }
  template <class Raw>
  raw ended(Raw const& found, pass& p) const {
    if constexpr (has_ending<typename completed::share>)
      return run(end, found, p);
    else
      return found;
  }
  // Adds the loss of an output.
  template <class Loss, class Raw>
  static void supervise(pass& p, char const* stage, Raw const& found, double weight) {
    if constexpr (supervised_kind<kind>) add_supervised_loss<Loss>(p, stage, found, weight);
  }
  // The conditioning ỹ.
  template <class Raw>
  auto conditioning_of(Raw const& found, pass& p) const {
    if constexpr (!supervised_kind<typename completed::coarse_kind>)
      return found;
    else if (p.training())
      return training_conditioning(found, p);
    else
      return p.given.defined() && p.stage.empty() ? p.given : completed::predict::template of<typename completed::coarse_kind>(found);
  }
  at::Tensor training_conditioning(at::Tensor const& found, pass& p) const {
    using coarse_kind = typename completed::coarse_kind;
    if constexpr (std::same_as<typename completed::predict, predict::probabilities> && requires { source.fused(found, p); })
      if (at::Tensor conditioning = source.fused(found, p); conditioning.defined()) return conditioning;
    at::Tensor const prediction = completed::predict::template of<coarse_kind>(found);
    at::Tensor chosen           = source(prediction, shown_truth<completed>(p.truth, prediction.scalar_type()), p);
    if constexpr (requires {
                    completed::predict::of_truth(chosen);
                    requires completed::source::corrupts_truths;
                  })
      chosen = completed::predict::of_truth(chosen);
    return chosen;
  }
  // The rounds after the first, each conditioned on the previous prediction.
  template <class F>
  void refine(F const& f, outputs& both, value_of<In> const& x, pass& p) const {
    using C           = completed;
    at::Tensor active = disagree(both.coarse, both.fine);  // the samples that need another round; undefined: all
    if (active.defined()) p.requires_host("c2f::refine::until, which decides on the host after every round whether another one follows");
    for (int round = 1; round < C::refine::rounds; ++round) {
      if (active.defined() && !active.any().template item<bool>()) break;
      raw const next = full_size<kind>(run_fine(f, refined(both.fine), p), x);
      if constexpr (requires { C::refine::agreement; }) {
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
  static auto refined(raw const& found) {
    if constexpr (!supervised_kind<kind>)
      return found;
    else
      return completed::predict::template of<kind>(found);
  }
  // [N]: whether the predictions of two rounds agree by less than refine::until requires; undefined without refine::until.
  template <class Raw>
  static at::Tensor disagree(Raw const& before, Raw const& now) {
    if constexpr (requires { completed::refine::agreement; })
      return kind::agreement(before, now).lt(completed::refine::agreement);
    else
      return {};
  }
  static bool is_same(at::Tensor const& a, at::Tensor const& b) { return a.is_same(b); }
  template <std::size_t N>
  static bool is_same(std::array<at::Tensor, N> const& a, std::array<at::Tensor, N> const& b) {
    return std::equal(a.begin(), a.end(), b.begin(), [](auto const& one, auto const& other) { return one.is_same(other); });
  }
  static void check_images(value_of<In> const& x) {
    if constexpr (image_shape<In>) c2f::detail::check_images(completed::name, {In::channels, In::height, In::width}, x);
  }
  static void check_training(value_of<In> const& x, pass const& p) {
    if (!p.capturing) check_t(completed::name, p.t);
    if constexpr (image_shape<In> && supervised_kind<kind>)
      if (p.stage.empty()) check_truth<kind, In>(completed::name, x, p.truth);
  }
  static std::string where(value_of<In> const& x, pass const& p) {
    std::string text = of_task(completed::name);
    if (p.now) text += ", epoch " + std::to_string(p.now->epoch) + ", step " + std::to_string(p.now->iteration) + " of the training";
    if constexpr (std::same_as<value_of<In>, at::Tensor>) text += ", images " + text_of(x);
    return p.truth.defined() ? text + ", truth " + text_of(p.truth) : text;
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

/// A nested stack on the input of its place. Where its task is invalid, follow-on errors are suppressed.
template <class Task, class In, bool Valid>
struct nested_stack {
  struct type {
    using output = wrong_shape;
    C2F_MEMBERS();
    at::Tensor operator()(value_of<In> const&, mode) const { return {}; }
  };
};
template <class Task, class In>
struct nested_stack<Task, In, true> {
  using type = stack_on<nested_task<Task, In>, In>;
};
template <class Task, class In>
  requires std::same_as<typename Task::input, In>
struct nested_stack<Task, In, true> {
  using type = stack_on<Task, In>;
};

/// A task without an input, which is a stage of others.
template <class Task>
concept stage_task = !requires { typename Task::input; } && requires {
  requires has_kind<typename both_networks<typename Task::network>::coarse>;
  requires has_kind<typename both_networks<typename Task::network>::fine>;
};

}  // namespace detail

/// A task, instantiated, with the initial values of `seed`. See the top of this file.
template <class Task>
struct stack : detail::stack_base<Task, detail::checked<Task>>::type {
  using task_type = Task;
  /// The stack as a network of another one.
  template <shape In>
  using on = typename detail::nested_stack<Task, In, detail::checked<detail::nested_task<Task, In>>>::type;

  explicit stack(std::uint64_t seed = 0) { initialize(*this, seed); }
};
/// The stack of a task without an input: a stage of other tasks, on whatever they give it. It cannot be made alone.
template <detail::stage_task Task>
struct stack<Task> {
  using task_type = Task;
  using kind      = typename complete<detail::nested_task<Task, image<1, 1, 1>>>::kind;
  template <shape In>
  using on = typename detail::nested_stack<Task, In, detail::checked<detail::nested_task<Task, In>>>::type;
  C2F_MEMBERS();

  explicit stack(std::uint64_t = 0) { static_assert(detail::checked<Task> || true); }
};

}  // namespace c2f

template <class Raw>
struct std::tuple_size<c2f::basic_outputs<Raw>> : std::integral_constant<std::size_t, 2> {};
template <std::size_t I, class Raw>
struct std::tuple_element<I, c2f::basic_outputs<Raw>> {
  using type = Raw const;
};
