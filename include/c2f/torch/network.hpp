// c2f/torch/network.hpp: torch::nn modules as networks of a task, and c2f networks as torch::nn modules.
//
//   struct my_net : torch::nn::Cloneable<my_net> {
//     explicit my_net(std::int64_t channels) : channels_(channels) { reset(); }
//     void reset() override { fc = register_module("fc", torch::nn::Linear(channels_, 10)); }
//     torch::Tensor forward(torch::Tensor x) { return fc(x.mean({2, 3})); }
//     std::int64_t channels_;
//     torch::nn::Linear fc{nullptr};
//   };
//   using network = c2f::torch_network<my_net, c2f::class_vector<10>>;     // in a task
//
//   auto module = c2f::as_module(std::move(net));                          // std::shared_ptr<torch::nn::Module>
//   torch::optim::Adam adam(module->parameters());
//
// torch_network: the module is constructed with the number of input channels in the stack. Its initial values are PyTorch's own, drawn with
// the global generator seeded by (seed, path); the generator's state is restored. Parameters have the module's names, and their number is
// known at run time only (c2f::count_parameters). Copying clones, so the module must be Cloneable.
// The module has one training flag, so it must not run in two modes at the same time.
//
// as_module: the module owns the network and shares its tensors under the same paths, so LibTorch's optimisers and state dictionaries work
// on it; forward(x) is net(x, train or eval) according to the module's training flag.
//
// The only header of c2f that includes torch::nn, which costs 14 s of compile time. Errors: a module that cannot be constructed from a
// number of channels, has no forward(x) or cannot be cloned is a compile error. What LibTorch refuses is a c2f::libtorch_error that names the
// module. A module that takes no notice of that number, or whose output is not that of its kind, throws
// input_error in its first pass; outputs are compared in every pass, which costs a few comparisons.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/libtorch_error.hpp>
#include <c2f/core/type_name.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/module.h>

#include <memory>
#include <mutex>

namespace c2f {

namespace detail {
// Each function asserts one message and returns false.
template <class Module>
consteval bool check_module_constructor() {
  static_assert(mismatch<got<Module>>,
                "c2f::torch_network needs a torch::nn::Module that can be made from a number of channels; give it a constructor 'explicit "
                "my_net(std::int64_t channels)'");
  return false;
}
template <class Module>
consteval bool check_module_forward() {
  static_assert(mismatch<got<Module>>,
                "c2f::torch_network calls the module's 'torch::Tensor forward(torch::Tensor)', and it has none; write it, public, for one "
                "tensor");
  return false;
}
template <class Module>
consteval bool check_module_clone() {
  static_assert(mismatch<got<Module>>,
                "c2f::torch_network copies its module, and this one has no clone(); derive it from torch::nn::Cloneable<my_net>, and "
                "register its members in 'void reset() override'");
  return false;
}
template <class Module>
consteval bool check_module() {
  if constexpr (!std::is_base_of_v<torch::nn::Module, Module> || !std::is_constructible_v<Module, std::int64_t>)
    return check_module_constructor<Module>();
  else if constexpr (!requires(Module& module, at::Tensor const& x) {
                       { module.forward(x) } -> std::convertible_to<at::Tensor>;
                     })
    return check_module_forward<Module>();
  else if constexpr (requires { requires std::same_as<decltype(&Module::clone), decltype(&torch::nn::Module::clone)>; })  // which throws
    return check_module_clone<Module>();
  else
    return true;
}
}  // namespace detail

/// A torch::nn module as an architecture; see the top of this file.
template <class Module, output_kind Kind>
struct torch_network {
  using kind = Kind;

  template <shape In>
  struct on {
    using output = detail::output_if<detail::check_module<Module>(), typename Kind::template output<In>>;

    on() : module_(std::make_shared<Module>(In::channels)) {}
    on(on&&) noexcept            = default;
    on& operator=(on&&) noexcept = default;
    on(on const& other) : module_(std::dynamic_pointer_cast<Module>(other.module_->clone())) {}
    on& operator=(on const& other) { return *this = on(other); }
    ~on() = default;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      module_->train(m == train);
      at::Tensor y;
      try {
        y = module_->forward(x);
      } catch (c10::Error const& failure) {
        check_channels(x);
        detail::throw_explained(failure, "the module " + type_name<Module>() + ", on images " + detail::text_of(x));
      }
      if constexpr (image_shape<output> || vector_shape<output>) check_output(x, y);
      return y;
    }

    /// Constructs the module again, with the initial values of (seed, path).
    void reset(std::uint64_t seed, std::string const& path) {
      at::Generator global = at::detail::getDefaultCPUGenerator();  // a handle to the global generator
      at::Tensor before;
      {
        std::lock_guard const lock(global.mutex());
        before = global.get_state();
        global.set_current_seed(random_stream(seed, purpose::initial_value, 0, hash_of(path)).bits());
      }
      module_ = std::make_shared<Module>(In::channels);
      std::lock_guard const lock(global.mutex());
      global.set_state(before);
    }

    void walk_tensors(std::string const& path, detail::tensor_visitor const& f) {
      for (auto& item : module_->named_parameters()) visit(path, item.key(), item.value(), true, f);
      for (auto& item : module_->named_buffers()) visit(path, item.key(), item.value(), false, f);
    }

    [[nodiscard]] Module& module() const { return *module_; }

   private:
    // Throws if the first layer does not follow the number of channels: if its weight does not change with that number, and is for another.
    static void check_channels(at::Tensor const& x) {
      auto const parameters = Module(In::channels).named_parameters(), of_one_more = Module(In::channels + 1).named_parameters();
      for (auto const& each : parameters) {
        if (each.value().dim() < 2) continue;
        at::Tensor const* const other = of_one_more.find(each.key());
        if (other != nullptr && other->sizes() == each.value().sizes() && each.value().size(1) != In::channels)
          throw input_error("the module " + type_name<Module>() + " cannot run on images " + detail::dims_of(x) + ": it was made for " +
                            std::to_string(In::channels) + " channels, and its '" + each.key() + "' is " + detail::dims_of(each.value()) +
                            " for any number; make its first layer with the number that the constructor is given");
        return;
      }
    }
    static void check_output(at::Tensor const& x, at::Tensor const& y) {
      std::vector<std::int64_t> wanted{x.size(0), output::channels};
      if constexpr (image_shape<output>) {
        bool const any_size = requires { Kind::resized(y, std::int64_t{}, std::int64_t{}); } && y.dim() == 4;
        wanted.push_back(any_size ? y.size(2) : output::height == dynamic ? x.size(2) : output::height);
        wanted.push_back(any_size ? y.size(3) : output::width == dynamic ? x.size(3) : output::width);
      }
      if (y.sizes() == at::IntArrayRef(wanted)) return;
      std::string const needed = "[N, " + std::to_string(output::channels) + (image_shape<output> ? ", height, width]" : "]");
      throw input_error("the module " + type_name<Module>() + " returns " + detail::dims_of(y) + ", but " + type_name<Kind>() + " needs " +
                        needed + "; change its last layer, or the kind");
    }

    static void visit(std::string const& path, std::string const& name, at::Tensor& tensor, bool trained, detail::tensor_visitor const& f) {
      state_tensor each;
      each.assign(tensor);
      std::vector<std::int64_t> const dims = tensor.sizes().vec();
      f(detail::joined(path, name), each, {trained, dims, nullptr, tensor.scalar_type()});
      if (!each.tensor().is_same(tensor)) tensor.set_data(each.tensor().detach());  // moved to a device, or another memory format
    }

    std::shared_ptr<Module> module_;
  };
};

/// A c2f network as a torch::nn::Module; made by as_module.
template <class Net>
class network_module : public torch::nn::Module {
 public:
  explicit network_module(Net net) : net_(std::move(net)) {
    for_each_tensor(net_, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
      torch::nn::Module* owner = this;
      std::string_view rest    = path;
      for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
        owner = child(*owner, std::string(rest.substr(0, dot)));
        rest.remove_prefix(dot + 1);
      }
      if (traits.trained)
        owner->register_parameter(std::string(rest), each.tensor());
      else
        owner->register_buffer(std::string(rest), each.tensor());
    });
  }

  at::Tensor forward(at::Tensor const& x) { return net_(x, is_training() ? c2f::train : c2f::eval); }
  [[nodiscard]] Net const& network() const { return net_; }

 private:
  static torch::nn::Module* child(torch::nn::Module& of, std::string const& name) {
    for (auto const& each : of.named_children())
      if (each.key() == name) return each.value().get();
    return of.register_module(name, std::make_shared<torch::nn::Module>(name)).get();
  }
  Net net_;
};

/// Wraps a network for code that expects a torch::nn::Module.
template <class Net>
[[nodiscard]] std::shared_ptr<network_module<Net>> as_module(Net net) {
  return std::make_shared<network_module<Net>>(std::move(net));
}

}  // namespace c2f
