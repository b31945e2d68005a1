// c2f/torch/network.hpp: networks written with torch::nn, and c2f networks for code that expects torch::nn.
//
//   struct my_net : torch::nn::Cloneable<my_net> { explicit my_net(std::int64_t channels); torch::Tensor forward(torch::Tensor x); void
//   reset() override; … }; using network = c2f::torch_network<my_net, c2f::class_vector<10>>;      // in a task
//
//   auto module = c2f::as_module(std::move(net));                          // std::shared_ptr<torch::nn::Module>
//   torch::optim::Adam adam(module->parameters());
//
// torch_network: the module is made from the number of channels that its place in the stack gives it, with PyTorch's own initial
// values, drawn from a generator seeded by (seed, path); the global generator is left as it was. Its parameters have the module's
// names. How many they are is known at run time only (c2f::count_parameters). Copying clones, so the module must be Cloneable.
//
// as_module: the module owns the network and shares its tensors, under the same paths, so optimisers and state dictionaries of
// LibTorch work on it; forward(x) is net(x, train or eval), as the module's own flag says.
//
// One of the two headers of c2f that include torch::nn: 14 s of compile time.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/kind.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/module.h>

#include <memory>
#include <mutex>

namespace c2f {

namespace detail {
template <class Module>
consteval bool check_module() {
  constexpr bool fits = std::is_base_of_v<torch::nn::Module, Module> && std::is_constructible_v<Module, std::int64_t>;
  static_assert(fits || mismatch<got<Module>>,
                "c2f::torch_network needs a torch::nn::Module that can be made from a number of channels; give it a constructor 'explicit "
                "my_net(std::int64_t channels)'");
  return fits;
}
}  // namespace detail

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
      return module_->forward(x);
    }

    /// The module anew, with the initial values of (seed, path).
    void reset(std::uint64_t seed, std::string const& path) {
      at::Generator global = at::detail::getDefaultCPUGenerator();  // a handle to the one generator
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
    static void visit(std::string const& path, std::string const& name, at::Tensor& tensor, bool trained, detail::tensor_visitor const& f) {
      state_tensor each;
      each.assign(tensor);
      std::vector<std::int64_t> const dims = tensor.sizes().vec();
      f(detail::joined(path, name), each, {trained, dims, nullptr, tensor.scalar_type()});
      if (!each.tensor().is_same(tensor)) tensor.set_data(each.tensor().detach());  // moved, or laid out anew
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

/// Hands a network to code that expects a torch::nn::Module.
template <class Net>
[[nodiscard]] std::shared_ptr<network_module<Net>> as_module(Net net) {
  return std::make_shared<network_module<Net>>(std::move(net));
}

}  // namespace c2f
