// c2f/train/snapshot.hpp: copies tensors and the states of LibTorch's generators, and restores them.
//
//   c2f::detail::snapshot const before(tensors, device);
//   …
//   before.restore();                                        // in place
//
// Cost: a copy of the tensors.
#pragma once

#include <c2f/train/generators.hpp>
#include <c2f/train/state.hpp>

#include <ATen/core/grad_mode.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace c2f::detail {

class snapshot {
 public:
  snapshot(std::vector<at::Tensor> tensors, at::Device device) : tensors_(std::move(tensors)), generators_(device) {
    for (auto const& each : tensors_) before_.push_back(each.detach().clone());
  }
  void restore() const {
    at::NoGradGuard const no_gradients;
    for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].copy_(before_[i]);
    generators_.assign(states_);
  }

 private:
  std::vector<at::Tensor> tensors_, before_;
  generators generators_;
  named_tensors states_ = generators_.states();
};

}  // namespace c2f::detail
