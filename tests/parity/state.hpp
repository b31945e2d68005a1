// tests/parity/state.hpp: copies a network's parameters and buffers, by path, from and to a set of tensors.
#pragma once

#include "exchange.hpp"

#include <c2f/core/visit.hpp>

namespace parity {

/// Assigns the tensor `prefix + path` to every parameter and buffer and removes it from `given`; paths and shapes must agree.
template <class Net>
void load(Net& net, tensors& given, std::string const& prefix) {
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const& traits) {
    auto const found = given.extract(prefix + path);
    if (found.empty()) throw std::runtime_error("Python has no '" + path + "'");
    if (found.mapped().sizes() != each.tensor().sizes() || found.mapped().scalar_type() != each.tensor().scalar_type())
      throw std::runtime_error("'" + path + "' has another shape or type in Python");
    each.assign(found.mapped().set_requires_grad(traits.trained));
  });
  for (auto const& [name, value] : given)
    if (name.starts_with(prefix)) throw std::runtime_error("c2f has no '" + name.substr(prefix.size()) + "'");
}

/// Copies of all parameters and buffers, or of the gradients of the trained ones.
template <class Net>
void save(Net const& net, tensors& into, std::string const& prefix) {
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
    into[prefix + path] = each.tensor().detach().clone();
  });
}
template <class Net>
void save_gradients(Net const& net, tensors& into, std::string const& prefix) {
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained && each.tensor().grad().defined()) into[prefix + path] = each.tensor().grad().clone();
  });
}

}  // namespace parity
