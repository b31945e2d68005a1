// c2f/core/visit.hpp: visits the parameters and buffers of a network; initialises, counts and moves them.
//
//   c2f::for_each_tensor(net, [](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) { … });
//   static_assert(c2f::parameter_count<c2f::network_on<arch, input>> == 272'474);
//   c2f::initialize(net, seed);
//   c2f::move_to(net, at::kCUDA);
//   auto all = c2f::parameters(net);
//   c2f::copy_tensors(model.coarse, model.fine);                                // those of the same paths
//
// A network lists its members with C2F_MEMBERS (a Hana Struct), or with these functions:
//   template <class Self, class F> static void each_member(Self& self, F&& f);   // calls f(name, member) for each
//   static constexpr std::int64_t count_of_parameters();                         // if known at compile time
// The path of a tensor is the member names from the network down, joined by dots: "layer1.0.conv1.weight", as in torchvision.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/state_tensor.hpp>
#include <c2f/core/device.hpp>
#include <c2f/core/members.hpp>
#include <c2f/core/static_check.hpp>

#include <ATen/ops/empty.h>

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace c2f {

namespace detail {

/// A type-erased reference to the caller's function, so that the traversal of a network is compiled once and not once per function.
class tensor_visitor {
 public:
  template <class F>
  explicit tensor_visitor(F& f)
      : function_(&f), call_([](void* function, std::string const& path, state_tensor& each, state_traits const& traits) {
          (*static_cast<F*>(function))(path, each, traits);
        }) {}
  void operator()(std::string const& path, state_tensor& each, state_traits const& traits) const { call_(function_, path, each, traits); }

  /// Set during initialisation: a network that creates its own initial values (torch_network) is reset with this seed.
  std::uint64_t const* seed = nullptr;

 private:
  void* function_;
  void (*call_)(void*, std::string const&, state_tensor&, state_traits const&);
};

template <class T>
concept lists_members = requires(T& net) { T::each_member(net, [](auto&&, auto&) {}); };
/// A network whose tensors are known at run time only, such as one made of a torch::nn::Module.
template <class T>
concept walks_tensors = requires(T& net, tensor_visitor const& f) {
  net.walk_tensors(std::string(), f);
  net.reset(std::uint64_t{}, std::string());
};

/// Whether the tensors of T can be visited.
template <class T>
concept walkable = any_state_tensor<T> || walks_tensors<T> || lists_members<T> || has_members<T>;
template <class Net>
consteval bool check_members() {
  static_assert(mismatch<got<Net>>,
                "c2f cannot see the parameters of this network; list its members with C2F_MEMBERS(first, second, ...), or write "
                "C2F_MEMBERS() where it has none");
  return false;
}

inline std::string joined(std::string const& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}

template <class Net>
void walk(Net& net, std::string const& path, tensor_visitor const& f) {
  if constexpr (any_state_tensor<Net>) {
    f(path, net, Net::traits);
  } else if constexpr (walks_tensors<Net>) {
    if (f.seed != nullptr) net.reset(*f.seed, path);
    net.walk_tensors(path, f);
  } else if constexpr (lists_members<Net>) {
    Net::each_member(net, [&](std::string_view name, auto& member) { walk(member, joined(path, name), f); });
  } else if constexpr (has_members<Net>) {
    boost::hana::for_each(boost::hana::accessors<Net>(), [&](auto const& member) {
      walk(boost::hana::second(member)(net), joined(path, boost::hana::first(member).c_str()), f);
    });
  } else {
    check_members<Net>();
  }
}

/// Calls f(name, member) for what `Base`, a base class of `self`, lists.
template <class Base, class Self, class F>
void each_member_of(Self& self, F&& f) {
  if constexpr (lists_members<Base>)
    Base::each_member(self, f);
  else
    boost::hana::for_each(boost::hana::accessors<Base>(), [&](auto const& member) {
      f(std::string_view(boost::hana::first(member).c_str()), boost::hana::second(member)(self));
    });
}

template <class T>
concept counts_itself = requires {
  { T::count_of_parameters() } -> std::same_as<std::int64_t>;
};

template <class T>
constexpr std::int64_t count_parameters();
template <class T>
struct count_members {
  template <class... Pair>
  constexpr std::int64_t operator()(Pair const&...) const {
    return (std::int64_t{0} + ... +
            count_parameters<std::remove_cvref_t<decltype(boost::hana::second(std::declval<Pair const&>())(std::declval<T&>()))>>());
  }
};
template <class T>
constexpr std::int64_t count_parameters() {
  if constexpr (any_state_tensor<T>) {
    return T::traits.trained ? T::count : 0;
  } else if constexpr (counts_itself<T>) {
    return T::count_of_parameters();
  } else if constexpr (has_members<T>) {
    return boost::hana::unpack(boost::hana::accessors<T>(), count_members<T>{});
  } else {
    static_assert(mismatch<got<T>>,
                  "c2f::parameter_count needs a network whose parameters are known while compiling; list its members with "
                  "C2F_MEMBERS(...), or count at run time with c2f::count_parameters(net)");
    return 0;
  }
}

template <class T>
constexpr bool count_known();
template <class T>
struct members_known {
  template <class... Pair>
  constexpr bool operator()(Pair const&...) const {
    return (true && ... &&
            count_known<std::remove_cvref_t<decltype(boost::hana::second(std::declval<Pair const&>())(std::declval<T&>()))>>());
  }
};
template <class T>
constexpr bool count_known() {
  if constexpr (any_state_tensor<T> || counts_itself<T>)
    return true;
  else if constexpr (walks_tensors<T> || !has_members<T>)
    return false;
  else
    return boost::hana::unpack(boost::hana::accessors<T>(), members_known<T>{});
}

// Whether C2F_MEMBERS lists every member that owns tensors. It is known for aggregates: the members of T are initialised in order by
// T{...}, so an argument that converts only to types that own tensors finds them. It takes about 5 ms, so it is asked of the networks of a
// task and not of what they consist of.

template <class T>
consteval bool owns_tensors() {
  if constexpr (any_state_tensor<T>)
    return true;
  else if constexpr (!walkable<T>)
    return false;
  else if constexpr (count_known<T>())
    return count_parameters<T>() > 0;
  else
    return walks_tensors<T>;
}
struct any_member {
  template <class T>
  operator T() const;
};
struct owning_member {
  template <class T>
    requires(owns_tensors<T>())
  operator T() const;
};
// For members such as std::optional<network>, whose constructors would take an owning_member, and those that take everything.
struct wrapper_member {
  template <template <class...> class Wrapper, class... T>
    requires(!walkable<Wrapper<T...>>)
  operator Wrapper<T...>() const;
};
struct no_member {};

template <class T, class Last, class... Before>
concept takes = requires { T{Before()..., Last()}; };
template <class T, class... Before>
consteval int count_owning_members() {
  if constexpr (!takes<T, any_member, Before...>)
    return 0;
  else
    return (takes<T, owning_member, Before...> && !takes<T, wrapper_member, Before...> && !takes<T, no_member, Before...> ? 1 : 0) +
           count_owning_members<T, Before..., any_member>();
}

template <class T>
struct listed_members {
  template <class Pair>
  using type = std::remove_cvref_t<decltype(boost::hana::second(std::declval<Pair const&>())(std::declval<T&>()))>;
  template <class... Pair>
  constexpr bool operator()(Pair const&...) const {
    constexpr std::size_t size = [] {  // of the listed members in their order
      std::size_t end = 0;
      ((end = (end + alignof(type<Pair>) - 1) / alignof(type<Pair>) * alignof(type<Pair>) + sizeof(type<Pair>)), ...);
      return end;
    }();
    if constexpr (size + sizeof(state_tensor) > sizeof(T))
      return true;  // no room for another parameter
    else
      return count_owning_members<T>() <= (0 + ... + (owns_tensors<type<Pair>>() ? 1 : 0));
  }
};
template <class T>
consteval bool lists_all_members() {
  if constexpr (walks_tensors<T> || lists_members<T> || !has_members<T> || !std::is_aggregate_v<T>)
    return true;
  else
    return boost::hana::unpack(boost::hana::accessors<T>(), listed_members<T>{});
}
template <class Net>
consteval bool check_all_listed() {
  static_assert(
      mismatch<got<Net>>,
      "a member of this network owns parameters and is not listed in C2F_MEMBERS(...), so it would not be trained or saved; add it");
  return false;
}

}  // namespace detail

/// A type-erased reference to a network, for code that is compiled once and not once per network type. All functions here accept it. The
/// network must outlive it.
class any_network {
 public:
  template <class Net>
    requires(!std::same_as<Net, any_network>)
  explicit any_network(Net& net)
      : net_(&net),
        walk_([](void* of, std::string const& path, detail::tensor_visitor const& f) { detail::walk(*static_cast<Net*>(of), path, f); }) {}
  void walk_tensors(std::string const& path, detail::tensor_visitor const& f) const { walk_(net_, path, f); }
  void reset(std::uint64_t, std::string const&) const {}  // the visitor resets inner networks

 private:
  void* net_;
  void (*walk_)(void*, std::string const&, detail::tensor_visitor const&);
};

/// Whether the number of a network's parameters is known at compile time: false if it contains a torch::nn::Module.
template <class Net>
inline constexpr bool parameter_count_known = detail::count_known<Net>();

/// Calls f(path, tensor, traits) for every parameter and buffer, in the order of the members.
template <class Net, class F>
void for_each_tensor(Net& net, F&& f, std::string const& path = {}) {
  detail::walk(net, path, detail::tensor_visitor(f));
}
template <class Net, class F>
void for_each_tensor(Net const& net, F&& f, std::string const& path = {}) {
  auto reading = [&](std::string const& name, state_tensor const& each, state_traits const& traits) { f(name, each, traits); };
  detail::walk(const_cast<Net&>(net), path, detail::tensor_visitor(reading));  // shared with the mutable overload; modifies nothing
}

/// The number of trained scalars in a network, known at compile time.
template <class Net>
inline constexpr std::int64_t parameter_count = detail::count_parameters<Net>();

/// The number of trained scalars, counted at run time (also for networks that contain a torch::nn::Module).
template <class Net>
[[nodiscard]] std::int64_t count_parameters(Net const& net) {
  std::int64_t count = 0;
  for_each_tensor(net, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
    if (!traits.trained) return;
    count += each.tensor().numel();
    // Weights between blocks that are kept apart have no part in the network.
    if (channel_blocks const* const apart = each.blocks(); apart != nullptr && !apart->attention) {
      std::int64_t const rows = each.tensor().size(0), columns = each.tensor().size(1), kernel = each.tensor().numel() / (rows * columns);
      count -= kernel * (apart->out * (columns - apart->in) + (rows - apart->out) * apart->in);
    }
  });
  return count;
}

namespace detail {
/// The initial value of a tensor in these sizes, float in host memory.
inline at::Tensor initial_value(std::string const& name, state_traits const& traits, c10::IntArrayRef sizes, std::uint64_t seed) {
  at::Tensor value = at::empty(sizes, at::TensorOptions().dtype(at::kFloat));
  random_stream random(seed, purpose::initial_value, 0, hash_of(name));
  std::span<std::int64_t const> const dims(sizes.data(), sizes.size());
  float* const numbers = value.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < value.numel(); ++i) numbers[i] = static_cast<float>(traits.draw(random, dims, i));
  if (traits.finish != nullptr) traits.finish(dims, numbers);
  return value;
}
}  // namespace detail

/// Sets every parameter and buffer to its initial value, a function of (seed, path).
template <class Net>
void initialize(Net& net, std::uint64_t seed, std::string const& path = {}) {
  auto set_initial_value = [&](std::string const& name, state_tensor& each, state_traits const& traits) {
    if (traits.draw == nullptr) return;  // its owner sets it: reset of a torch_network, or a constructor
    at::Tensor const value = detail::initial_value(name, traits, {traits.dims.data(), traits.dims.size()}, seed);
    each.clear_blocks();
    each.assign(value.to(traits.type).set_requires_grad(traits.trained));
  };
  detail::tensor_visitor visitor(set_initial_value);
  visitor.seed = &seed;
  detail::walk(net, path, visitor);
}

namespace detail {
/// "PATH IN OUT 1\n", 1 with attention and 0 without.
inline std::string line_of_blocks(std::string const& path, channel_blocks const& of) {
  return path + ' ' + std::to_string(of.in) + ' ' + std::to_string(of.out) + (of.attention ? " 1\n" : " 0\n");
}
/// The blocks of all weights that have some, a line each. Empty for most networks.
template <class Net>
std::string text_of_blocks(Net const& net) {
  std::string text;
  for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const&) {
    if (each.blocks() != nullptr) text += line_of_blocks(path, *each.blocks());
  });
  return text;
}
/// The name of that text in the metadata of a file of tensors.
inline constexpr char const* blocks_entry = "channel_blocks";
}  // namespace detail

/// The trained tensors, in the order of the members.
template <class Net>
[[nodiscard]] std::vector<at::Tensor> parameters(Net const& net) {
  std::vector<at::Tensor> all;
  for_each_tensor(net, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
    if (traits.trained) all.push_back(each.tensor());
  });
  return all;
}

/// Copies the values of every tensor of `from` into the one of the same path in `to`, which may have others in addition. Error: input_error, before
/// any change, if `to` lacks one or has it in another shape.
template <class From, class To>
void copy_tensors(From const& from, To& to) {
  std::map<std::string, at::Tensor> own;
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
  for_each_tensor(to, [&](std::string const& path, state_tensor& each, state_traits const&) { own.emplace(path, each.tensor().detach()); });
  for_each_tensor(from, [&](std::string const& path, state_tensor const& each, state_traits const&) {
    auto const found = own.find(path);
    if (found == own.end() || found->second.sizes() != each.tensor().sizes())
      throw input_error("a network cannot take the tensors of another one: it has no '" + path + "' with the sizes " +
                        detail::dims_of(each.tensor()) + "; give a network with the same layers");
    pairs.emplace_back(found->second, each.tensor().detach());
  });
  for (auto const& [into, value] : pairs) into.copy_(value);
}

/// Moves every parameter and buffer to a device, except those marked on_host. Error: input_error if there is no such device.
template <class Net>
void move_to(Net& net, at::Device device) {
  detail::require_device(device);
  for_each_tensor(net, [&](std::string const&, state_tensor& each, state_traits const& traits) {
    if (!traits.on_host) each.assign(each.tensor().detach().to(device).set_requires_grad(traits.trained));
  });
}

/// Converts four-dimensional tensors to the memory format channels_last, which convolutions prefer; values and paths are unchanged.
template <class Net>
void to_channels_last(Net& net) {
  for_each_tensor(net, [&](std::string const&, state_tensor& each, state_traits const& traits) {
    if (each.tensor().dim() == 4)
      each.assign(each.tensor().detach().contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(traits.trained));
  });
}

}  // namespace c2f
