// c2f/train/generators.hpp: LibTorch's default random generators of the host and of a device, which torch::nn modules draw from.
//
//   c2f::detail::generators const all(recipe.device());
//   auto const before = all.states();                     // copies, by the device's name: "cpu", "cuda:0"
//   all.assign(before);
//
// c2f itself uses none of them (core/random.hpp).
#pragma once

#include <c2f/train/state.hpp>

#include <ATen/Context.h>
#include <ATen/core/Generator.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace c2f::detail {

class generators {
 public:
  explicit generators(at::Device device) : devices_{at::Device(at::kCPU)} {
    if (!device.is_cpu()) devices_.push_back(device);
  }
  void seed(std::uint64_t number) const {
    for_each([&](std::string const&, at::Generator& each) { each.set_current_seed(number); });
  }
  [[nodiscard]] named_tensors states() const {
    named_tensors all;
    for_each([&](std::string const& name, at::Generator& each) { all.emplace_back(name, each.get_state()); });
    return all;
  }
  /// Sets the generators that are named in `states`.
  void assign(named_tensors const& states) const {
    for_each([&](std::string const& name, at::Generator& each) {
      for (auto const& [of, state] : states)
        if (of == name) each.set_state(state);
    });
  }

 private:
  template <class F>
  void for_each(F const& f) const {
    for (auto const& device : devices_) {
      at::Generator each = at::globalContext().defaultGenerator(device);  // a handle to the one generator
      std::lock_guard const lock(each.mutex());
      f(device.str(), each);
    }
  }

  std::vector<at::Device> devices_;
};

}  // namespace c2f::detail
