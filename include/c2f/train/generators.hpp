// c2f/train/generators.hpp: LibTorch's default random generators of the host and of a device, which torch::nn modules draw from.
//
//   c2f::detail::generators const all(recipe.device());
//   auto const before = all.states();                     // copies, by the kind of device: "cpu", "cuda"
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
  /// Sets the generators that are named in `states`, as "cuda" or "cuda:1": a training goes on with another device of the same kind.
  void assign(named_tensors const& states) const {
    for_each([&](std::string const& name, at::Generator& each) {
      for (auto const& [of, state] : states)
        if (kind_of(of) == name) each.set_state(state);
    });
  }
  /// "cuda" of "cuda:1".
  [[nodiscard]] static std::string kind_of(std::string const& device) { return device.substr(0, device.find(':')); }

 private:
  template <class F>
  void for_each(F const& f) const {
    for (auto const& device : devices_) {
      at::Generator each = at::globalContext().defaultGenerator(device);  // a handle to the one generator
      std::lock_guard const lock(each.mutex());
      f(kind_of(device.str()), each);
    }
  }

  std::vector<at::Device> devices_;
};

}  // namespace c2f::detail
