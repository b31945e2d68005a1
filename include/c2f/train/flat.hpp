// c2f/train/flat.hpp: a flat buffer: one tensor that holds the values of many.
//
//   c2f::flat parameters(model, [](c2f::state_traits const& each) { return each.trained; });
//   parameters.numbers();      // [M] float: all values; the model's tensors become views of it
//   parameters.pieces();       // path, first element and number of elements of each tensor
//
// Copying, averaging or restoring all parameters is then one operation instead of one per tensor. Each piece keeps its sizes and strides
// (also channels_last) and begins at a multiple of 64 elements; the elements between two pieces are zero. Tensors that are not float, or
// that stay on the host, are left out. A tensor that is reassigned afterwards (move_to, to_channels_last) is no longer in the buffer.
//
// Cost: one copy of the values at construction. Errors: none.
#pragma once

#include <c2f/core/visit.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/zeros.h>

#include <string>
#include <vector>

namespace c2f {

/// The flat buffer of some tensors of a network.
class flat {
 public:
  /// The part of the buffer that belongs to one tensor.
  struct piece {
    std::string path;
    at::Tensor view;           ///< the network's tensor
    std::int64_t begin, size;  ///< in elements
  };

  flat() = default;
  template <class Net>
  flat(Net& net, bool (*wanted)(state_traits const&)) : flat(any_network(net), wanted) {}
  /// Moves the tensors for which wanted(traits) is true into one buffer.
  flat(any_network net, bool (*wanted)(state_traits const&)) {
    at::NoGradGuard const no_gradients;
    auto const for_each_wanted = [&](auto const& f) {
      for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const& traits) {
        if (wanted(traits) && !traits.on_host && each.tensor().scalar_type() == at::kFloat) f(path, each);
      });
    };
    for_each_wanted([&](std::string const& path, state_tensor& each) {
      at::Tensor const& tensor = each.tensor();
      pieces_.push_back({path, tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous(), end_, tensor.numel()});
      end_ += (tensor.numel() + alignment - 1) / alignment * alignment;
    });
    if (pieces_.empty()) return;
    numbers_      = like(pieces_.front().view.options());
    std::size_t i = 0;
    for_each_wanted([&](std::string const&, state_tensor& each) {
      at::Tensor const view = view_of(numbers_, i++);
      view.copy_(each.tensor().detach());
      each.assign(view.set_requires_grad(each.tensor().requires_grad()));
    });
    // A torch::nn module keeps its tensor objects and only replaces their memory, so the views are read back from the network.
    i = 0;
    for_each_wanted([&](std::string const&, state_tensor& each) { pieces_[i++].view = each.tensor(); });
  }

  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  /// All values, [M]; undefined if there is no piece.
  [[nodiscard]] at::Tensor const& numbers() const { return numbers_; }
  [[nodiscard]] std::vector<piece> const& pieces() const { return pieces_; }

  /// A buffer of zeros with the same layout.
  [[nodiscard]] at::Tensor like(at::TensorOptions const& options) const { return at::zeros({end_}, options.requires_grad(false)); }
  /// Piece i of a buffer with the same layout.
  [[nodiscard]] at::Tensor view_of(at::Tensor const& block, std::size_t i) const {
    // Views of one tensor share a version counter, so autograd would take a change of one view for a change of all. variable_data() gives
    // each view a counter of its own.
    return at::as_strided(block, pieces_[i].view.sizes(), pieces_[i].view.strides(), pieces_[i].begin).variable_data();
  }

 private:
  static constexpr std::int64_t alignment = 64;
  std::vector<piece> pieces_;
  at::Tensor numbers_;
  std::int64_t end_ = 0;
};

}  // namespace c2f
