// c2f/layers/gunn.hpp: layers whose channels are updated gradually, group by group.
//
//   using layer = c2f::gunn<20>;                                                  // 20 groups of channels, each updated once, in turn
//   using deep  = c2f::gunn<20, c2f::gunn_unit<3, 2, c2f::shortcut::per_stack>>;  // two units a group, with 3x3 convolutions of 3 times its
//                                                                                 // channels
//   using sunn  = c2f::gunn<20, c2f::gunn_unit<>, c2f::update::simultaneous>;     // the same units, which all read the old channels
//
// Qiao et al., "Gradually updated neural networks for large-scale image recognition", ICML 2018, eq. 4.3 to 4.6 and algorithm 2 of Qiao's
// dissertation. [N, C, H, W] -> [N, C, H, W]. For each group of C / Groups channels in turn, x_c <- x_c + unit_c(x), where x has the groups
// before it updated. So a layer of P groups is P units deep, of which each reads all channels and writes C / P.
//
//   gunn_unit<Expansion, Stacked, Shortcut, Residual>     1x1 (Expansion * C / P channels) - norm - ReLU - 3x3 - norm - ReLU - 1x1 - norm,
//                   Stacked times, of which the first reads all channels; Shortcut adds a 1x1 convolution and a norm: shortcut::none,
//                   shortcut::per_unit (one for each of the stacked ones) or shortcut::per_stack; Residual: whether x_c is added
//   update::gradual (the default) or update::simultaneous
//   activations::recomputed (the default) or activations::kept
//
// A unit of one's own is a struct with `static constexpr bool residual` and `template <std::int64_t Width> using of = an architecture that
// maps C channels to Width`. It is called with the mode, so it contains no dropout.
//
// Costs: activations::recomputed updates one copy of x in place. For the backward pass it keeps x and the output and nothing of the units,
// whatever their number; that pass takes the updates back one by one, from the last to the first, and computes each unit once more: a third
// more time. activations::kept is the definition that it is tested against: autograd keeps a map of C channels and the activations of a unit
// for each group. Values, running statistics and gradients are equal to rounding.
// To compile: 2 s, for LibTorch's autograd nodes.
// Errors: a number of groups that does not divide the channels is a compile error. c2f::error in the backward pass if the network was
// destroyed, moved or changed since the forward pass, and for second derivatives, which need activations::kept.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/execution/context.hpp>
#include <c2f/execution/layer_watcher.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/residual.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace c2f {

/// Which channels the units of a layer read.
namespace update {
/// Those of the groups before them already updated (GUNN).
struct gradual {};
/// All as the layer got them (SUNN).
struct simultaneous {};
}  // namespace update

/// What a layer keeps for its backward pass.
namespace activations {
/// Its input and output.
struct recomputed {};
/// All that its units compute.
struct kept {};
}  // namespace activations

/// Where a unit adds a 1x1 convolution of what it reads, with a norm.
namespace shortcut {
struct none {};
struct per_unit {};
struct per_stack {};
}  // namespace shortcut

namespace detail {

template <class T, class... Choices>
inline constexpr bool one_of = (false || ... || std::is_same_v<T, Choices>);

template <std::int64_t Expansion, std::int64_t Stacked, class Shortcut>
consteval bool check_gunn_unit() {
  static_assert(
      Expansion >= 1 && Stacked >= 1 && one_of<Shortcut, shortcut::none, shortcut::per_unit, shortcut::per_stack>,
      "c2f::gunn_unit takes an expansion and a number of stacked units, both 1 or more, and one of c2f::shortcut::none, per_unit and "
      "per_stack; write c2f::gunn_unit<2, 1, c2f::shortcut::none>");
  return true;
}
template <class Unit>
concept gunn_unit_type = requires { typename Unit::template of<1>; } && requires {
  { Unit::residual } -> std::convertible_to<bool>;
};
template <class Unit, class Update, class Activations>
inline constexpr bool are_gunn_options = gunn_unit_type<Unit> && one_of<Update, update::gradual, update::simultaneous> &&
                                         one_of<Activations, activations::recomputed, activations::kept>;
template <class Layer, class Unit, class Update, class Activations>
consteval bool check_gunn_options() {
  static_assert(
      are_gunn_options<Unit, Update, Activations> || mismatch<in_layer<Layer>>,
      "c2f::gunn takes a number of groups, a unit such as c2f::gunn_unit<2>, one of c2f::update::gradual and simultaneous, and one of "
      "c2f::activations::recomputed and kept, in this order");
  return true;
}
template <class Layer, class In, std::int64_t Groups>
consteval bool check_groups() {
  constexpr bool divides = Groups >= 1 && as_map<In>::channels % (Groups < 1 ? 1 : Groups) == 0;
  static_assert(divides || !image_shape<In> || is_wrong<In> || mismatch<in_layer<Layer>, got<In>>,
                "c2f::gunn updates groups of equally many channels; write a number of groups that divides the channels of its input, or "
                "change these by a 1x1 c2f::conv before it");
  return true;
}
template <class Layer, class Output, class Wanted>
consteval bool check_unit() {
  static_assert(same_size<Output, Wanted> || mismatch<in_layer<Layer>, got<Output>, wanted<Wanted>>,
                "a unit of c2f::gunn ends in the channels of its group, at the size of its input; correct its of<Width>");
  return true;
}

/// One update of a group of `Width` channels, without the identity.
template <std::int64_t Expansion, std::int64_t Width, class Shortcut>
struct gunn_update {
  template <shape In>
  struct on {
    static constexpr bool adds_shortcut = !std::is_same_v<Shortcut, identity>;
    using wide                          = typename network_on<conv<Expansion * Width, 1>, In>::output;
    using output                        = typename network_on<conv<Width, 1>, wide>::output;

    network_on<conv<Expansion * Width, 1>, In> conv1;
    network_on<batch_norm, wide> bn1;
    network_on<conv<Expansion * Width, 3>, wide> conv2;
    network_on<batch_norm, wide> bn2;
    network_on<conv<Width, 1>, wide> conv3;
    network_on<batch_norm, output> bn3;
    network_on<Shortcut, In> shortcut;
    C2F_MEMBERS(conv1, bn1, conv2, bn2, conv3, bn3, shortcut);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor const y = bn1.then_relu(conv1(x, m), m), z = bn2.then_relu(conv2(y, m), m), updated = bn3(conv3(z, m), m);
      return adds_shortcut ? updated.add(shortcut(x, m)) : updated;
    }
  };
};

}  // namespace detail

/// See the top of this file.
template <std::int64_t Expansion = 2, std::int64_t Stacked = 1, class Shortcut = shortcut::none, bool Residual = true>
struct gunn_unit : detail::static_check<detail::check_gunn_unit<Expansion, Stacked, Shortcut>()> {
  static constexpr bool residual = Residual;

  template <std::int64_t Width>
  using shortcut_to = sequential<conv<Width, 1>, batch_norm>;
  template <std::int64_t Width, class Added>
  using one = detail::gunn_update<(Expansion < 1 ? 1 : Expansion), Width, Added>;
  template <std::int64_t Width, class Added>
  using stack = std::conditional_t<(Stacked > 1), repeat<(Stacked < 1 ? 1 : Stacked), one<Width, Added>>, one<Width, Added>>;
  template <std::int64_t Width>
  using of =
      std::conditional_t<std::is_same_v<Shortcut, shortcut::per_stack>, c2f::residual<stack<Width, identity>, shortcut_to<Width>, identity>,
                         stack<Width, std::conditional_t<std::is_same_v<Shortcut, shortcut::per_unit>, shortcut_to<Width>, identity>>>;
};

namespace detail {

/// The units of a layer, without their types.
struct group_updates {
  void const* units;
  std::int64_t groups;
  bool gradual, residual;
  at::Tensor (*run)(void const* units, std::int64_t group, at::Tensor const& map, mode m);
  void (*walk)(void const* units, std::int64_t group, tensor_visitor const& f);

  [[nodiscard]] at::Tensor channels_of(std::int64_t group, at::Tensor const& map) const {
    std::int64_t const width = map.size(1) / groups;
    return map.narrow(1, group * width, width);
  }
};

/// The definition: autograd keeps every intermediate map.
inline at::Tensor updated_by_definition(at::Tensor const& x, mode m, group_updates const& by) {
  std::vector<at::Tensor> parts;
  for (std::int64_t i = 0; i < by.groups; ++i) parts.push_back(by.channels_of(i, x));
  std::vector<at::Tensor> updated = parts;
  for (std::int64_t i = 0; i < by.groups; ++i) {
    auto& part         = updated[static_cast<std::size_t>(i)];
    at::Tensor const y = by.run(by.units, i, by.gradual && i > 0 ? at::cat(updated, 1) : x, m);
    part               = by.residual ? part.add(y) : y;
  }
  return at::cat(updated, 1);
}

/// The same on one copy of x, without a graph.
inline at::Tensor updated_in_place(at::Tensor const& x, mode m, group_updates const& by) {
  at::NoGradGuard const no_gradients;
  at::Tensor y = x.clone();
  for (std::int64_t i = 0; i < by.groups; ++i) {
    at::Tensor const part = by.channels_of(i, y), unit = by.run(by.units, i, by.gradual ? y : x, m);
    by.residual ? part.add_(unit) : part.copy_(unit);
  }
  // A norm in training moves its statistics without counting that as a change, and a backward pass in eval mode reads them again.
  if (m == train && !execution().recomputing) {
    auto count = [](std::string const&, state_tensor const& each, state_traits const& traits) {
      if (!traits.trained && !traits.frozen) each.tensor().unsafeGetTensorImpl()->bump_version();
    };
    for (std::int64_t i = 0; i < by.groups; ++i) by.walk(by.units, i, tensor_visitor(count));
  }
  return y;
}

/// Tells a graph whether the layer that it calls in its backward pass is still where it was.
class existence {
 public:
  existence() = default;
  existence(existence const&) {}
  existence(existence&& other) noexcept { other.token_.reset(); }
  existence& operator=(existence const&) { return *this = existence(); }
  existence& operator=(existence&& other) noexcept {
    token_.reset();
    other.token_.reset();
    return *this;
  }
  ~existence() = default;
  [[nodiscard]] std::weak_ptr<char> watch() const {
    if (token_ == nullptr) token_ = std::make_shared<char>();
    return token_;
  }

 private:
  mutable std::shared_ptr<char> token_;
};

/// The gradient of an update in place. Its inputs are x and the trained tensors of each unit.
class group_updates_backward : public torch::autograd::Node {
 public:
  group_updates_backward(at::Tensor const& x, at::Tensor const& y, mode m, group_updates const& by, std::weak_ptr<char> layer)
      : x_(x),
        y_(y.detach()),
        mode_(m),
        by_(by),
        layer_(std::move(layer)),
        execution_{.fused = execution().fused, .norms = execution().norms, .recomputing = true} {
    torch::autograd::edge_list edges{torch::autograd::impl::gradient_edge(x)};
    for (std::int64_t i = 0; i < by.groups; ++i) {
      auto& own = trained_.emplace_back();
      for (at::Tensor const& each : tensors_of(i, true)) {
        own.emplace_back(each);
        edges.push_back(torch::autograd::impl::gradient_edge(each));
      }
      auto& others = others_.emplace_back();
      for (at::Tensor const& each : tensors_of(i, false)) others.emplace_back(each);
    }
    set_next_edges(std::move(edges));
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    torch::autograd::variable_list found(num_outputs());
    if (!gradients[0].defined()) return found;
    if (at::GradMode::is_enabled())
      throw error("the backward pass of c2f::gunn has no derivative of its own; for second derivatives write c2f::activations::kept");
    if (!x_.tensor.defined())
      throw error("the maps of this c2f::gunn layer were freed by an earlier backward pass; retain the graph to run another one");
    if (layer_.expired())
      throw error(
          "a network with c2f::gunn was destroyed, moved or assigned to before the backward pass, which runs its units again; keep it");
    if (x_.changed() || y_.changed() || units_changed())
      throw error(
          "a map, parameter or statistic of c2f::gunn was changed between forward and backward pass, which computes with it again; change "
          "it after "
          "that pass");
    std::vector<bool> wanted(found.size());  // asked here, since a backward pass within this one has answers of its own
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = task_should_compute_output(i);

    execution_scope const as_forward(execution_);
    at::Tensor const &x = x_.tensor, &dy = gradients[0], y = by_.gradual ? y_.tensor.clone() : x;
    // F(x)_c = x_c + G(x): the identity passes the gradient of the group on, and only G is differentiated, by all channels.
    at::Tensor const dx = by_.gradual || by_.residual ? dy.clone() : at::zeros_like(dy);
    std::size_t last    = found.size();
    for (std::int64_t i = by_.groups - 1; i >= 0; --i) {
      auto const& own = trained_[static_cast<std::size_t>(i)];
      last -= own.size();
      if (by_.gradual) by_.channels_of(i, y).copy_(by_.channels_of(i, x));  // undone: y is what the unit read
      at::Tensor const read = y.detach().set_requires_grad(true);
      at::Tensor unit;
      {
        at::AutoGradMode const gradients_on(true);
        unit = by_.run(by_.units, i, read, mode_);
      }
      torch::autograd::variable_list inputs{read};
      std::vector<std::size_t> places;
      for (std::size_t k = 0; k < own.size(); ++k)
        if (wanted[last + k]) {
          inputs.push_back(own[k].tensor);
          places.push_back(last + k);
        }
      // A copy, since what autograd answers may be this very tensor, and dx changes below.
      at::Tensor const gradient_of_group = by_.gradual ? by_.channels_of(i, dx).clone() : by_.channels_of(i, dy);
      auto got = torch::autograd::grad({unit}, inputs, {gradient_of_group}, std::nullopt, false, /*allow_unused=*/true);
      for (std::size_t k = 0; k < places.size(); ++k) found[places[k]] = got[k + 1];
      if (by_.gradual && !by_.residual) by_.channels_of(i, dx).zero_();
      if (got[0].defined()) dx.add_(got[0]);
    }
    if (wanted[0]) found[0] = dx;
    return found;
  }
  void release_variables() override { x_ = y_ = {}; }
  std::string name() const override { return "c2f::gunn"; }

 private:
  /// A tensor and its version, which counts changes in place. y is detached, or it and its gradient function would own each other.
  struct unchanged {
    at::Tensor tensor;
    std::int64_t version = 0;
    unchanged()          = default;
    explicit unchanged(at::Tensor const& now) : tensor(now), version(now._version()) {}
    [[nodiscard]] bool changed() const { return tensor._version() != version; }
  };
  /// The tensors of a unit that have a gradient, or the others that it reads: frozen ones, and in eval mode running statistics, which a norm
  /// in training writes and does not read.
  [[nodiscard]] std::vector<at::Tensor> tensors_of(std::int64_t group, bool with_gradient) const {
    std::vector<at::Tensor> found;
    auto collect = [&](std::string const&, state_tensor const& each, state_traits const& traits) {
      for (at::Tensor const* const tensor : {&each.tensor(), &each.bf16_copy()})
        if (tensor->defined() && tensor->requires_grad() == with_gradient && (traits.trained || traits.frozen || mode_ == eval))
          found.push_back(*tensor);
    };
    by_.walk(by_.units, group, tensor_visitor(collect));
    return found;
  }
  [[nodiscard]] bool units_changed() const {
    for (std::int64_t i = 0; i < by_.groups; ++i) {
      auto const is_still = [](unchanged const& a, at::Tensor const& b) { return a.tensor.is_same(b) && !a.changed(); };
      for (bool const with_gradient : {true, false}) {
        auto const& before = (with_gradient ? trained_ : others_)[static_cast<std::size_t>(i)];
        auto const now     = tensors_of(i, with_gradient);
        if (!std::equal(before.begin(), before.end(), now.begin(), now.end(), is_still)) return true;
      }
    }
    return false;
  }

  unchanged x_, y_;
  mode mode_;
  group_updates by_;
  std::weak_ptr<char> layer_;
  execution_context execution_;
  std::vector<std::vector<unchanged>> trained_, others_;  // of each unit
};

/// The owner of a node is a std::shared_ptr in LibTorch 2.11 and an intrusive_ptr in newer versions.
template <class Owner, class... Arguments>
Owner make_node(Arguments const&... arguments) {
  using node = group_updates_backward;
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, node>)
    return c10::make_intrusive<node>(arguments...);
  else
    return Owner(new node(arguments...), [](auto* each) { deleteNode(each); });  // without recursion into the nodes behind it
}

inline at::Tensor updated_and_recomputed(at::Tensor const& x, mode m, group_updates const& by, existence const& layer) {
  at::Tensor const y = updated_in_place(x, m, by);
  if (!at::GradMode::is_enabled()) return y;
  auto const node = make_node<decltype(torch::autograd::Edge::function)>(x, y, m, by, layer.watch());
  for (auto const& edge : node->next_edges())
    if (edge.is_valid()) {
      torch::autograd::impl::set_gradient_edge(y, {node, node->add_input_metadata(y)});
      break;
    }
  return y;
}

/// Channels of a group; 1 where there is no such number of groups.
template <class In, std::int64_t Groups>
inline constexpr std::int64_t group_width =
    Groups >= 1 && as_map<In>::channels % (Groups < 1 ? 1 : Groups) == 0 ? as_map<In>::channels / (Groups < 1 ? 1 : Groups) : 1;
template <class In, std::int64_t Groups>
using grouped_map = output_if<image_shape<In> && !is_wrong<In> && group_width<In, Groups> * Groups == as_map<In>::channels, In>;
template <class Unit, class In, std::int64_t Groups, bool = gunn_unit_type<Unit>>
struct unit_of_group {
  using type = network_on<typename Unit::template of<group_width<In, Groups>>, grouped_map<In, Groups>>;
};
template <class Unit, class In, std::int64_t Groups>
struct unit_of_group<Unit, In, Groups, false> {
  using type = network_on<identity, wrong_shape>;
};

}  // namespace detail

/// See the top of this file.
template <std::int64_t Groups, class Unit = gunn_unit<>, class Update = update::gradual, class Activations = activations::recomputed>
struct gunn {
  template <shape In>
  struct on : detail::static_check<detail::check_gunn_options<gunn, Unit, Update, Activations>(), detail::check_map<gunn, In>(),
                                   detail::check_groups<gunn, In, Groups>(),
                                   detail::check_unit<gunn, typename detail::unit_of_group<Unit, In, Groups>::type::output,
                                                      with_channels<detail::as_map<In>, detail::group_width<In, Groups>>>()> {
    using output = detail::grouped_map<In, Groups>;
    using unit   = typename detail::unit_of_group<Unit, In, Groups>::type;

    std::array<unit, static_cast<std::size_t>(Groups < 1 ? 1 : Groups)> units;
    detail::existence exists;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      if (auto* const watcher = execution().watcher; watcher != nullptr) {  // groups have equally many channels
        watcher->fixed(x);
        at::Tensor const y = detail::updated_by_definition(x, m, updates());
        watcher->fixed(y);
        return y;
      }
      if constexpr (std::is_same_v<Activations, activations::kept>)
        return detail::updated_by_definition(x, m, updates());
      else
        return detail::updated_and_recomputed(x, m, updates(), exists);
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      for (std::size_t i = 0; i < self.units.size(); ++i) f(std::to_string(i), self.units[i]);
    }
    static constexpr std::int64_t count_of_parameters() { return Groups * parameter_count<unit>; }

   private:
    using all_units = decltype(units);
    static unit const& unit_of(void const* all, std::int64_t group) {
      return (*static_cast<all_units const*>(all))[static_cast<std::size_t>(group)];
    }
    detail::group_updates updates() const {
      return {&units,
              Groups,
              std::is_same_v<Update, update::gradual>,
              Unit::residual,
              [](void const* all, std::int64_t group, at::Tensor const& map, mode m) { return unit_of(all, group)(map, m); },
              [](void const* all, std::int64_t group, detail::tensor_visitor const& f) {
                detail::walk(const_cast<unit&>(unit_of(all, group)), {}, f);  // reads alone
              }};
    }
  };
};

}  // namespace c2f
