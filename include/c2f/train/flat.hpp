// c2f/train/flat.hpp: many tensors in one block of memory.
//
//   c2f::flat parameters(model, [](c2f::state_traits const& each) { return each.trained; });
//   parameters.numbers();      // all of them, one tensor [M]; the model's leaves are views of it now
//   parameters.pieces();       // path, where it begins, how many numbers
//
// Copying, averaging or undoing all parameters is then one operation instead of one a tensor. Each piece keeps its dimensions and
// its order in memory (channels last stays) and begins at a multiple of 64 numbers; what lies between pieces is zero. Leaves that are not
// float or stay on the host are left out. A leaf that is assigned another tensor afterwards (move_to, to_channels_last) leaves the block.
// Cost: one copy of the numbers when it is made.
#pragma once

#include <c2f/core/visit.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/zeros.h>

#include <string>
#include <vector>

namespace c2f {

class flat {
 public:
  /// A leaf's part of the block.
  struct piece {
    std::string path;
    at::Tensor view;           ///< the leaf's tensor
    std::int64_t begin, size;  ///< in numbers
  };

  flat() = default;
  template <class Net>
  flat(Net& net, bool (*wanted)(state_traits const&)) : flat(any_network(net), wanted) {}
  /// Puts the leaves for which wanted(traits) into one block.
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
      at::Tensor const place = view_of(numbers_, i++);
      place.copy_(each.tensor().detach());
      each.assign(place.set_requires_grad(each.tensor().requires_grad()));
    });
    // A network that is not ours keeps its own tensors and only takes their memory over, so they are asked for once more.
    i = 0;
    for_each_wanted([&](std::string const&, state_tensor& each) { pieces_[i++].view = each.tensor(); });
  }

  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  /// All numbers, [M]; undefined where there is no piece.
  [[nodiscard]] at::Tensor const& numbers() const { return numbers_; }
  [[nodiscard]] std::vector<piece> const& pieces() const { return pieces_; }

  /// Zeros that lie as the numbers do.
  [[nodiscard]] at::Tensor like(at::TensorOptions const& options) const { return at::zeros({end_}, options.requires_grad(false)); }
  /// Piece i of a block that lies as the numbers do.
  [[nodiscard]] at::Tensor view_of(at::Tensor const& block, std::size_t i) const {
    // Views of one block would count each other's changes, which backward takes for changes of their own: so each with its own counter.
    return at::as_strided(block, pieces_[i].view.sizes(), pieces_[i].view.strides(), pieces_[i].begin).variable_data();
  }

 private:
  static constexpr std::int64_t alignment = 64;
  std::vector<piece> pieces_;
  at::Tensor numbers_;
  std::int64_t end_ = 0;
};

}  // namespace c2f
