// c2f/core/state_tensor.hpp: parameters and buffers, the tensors that a network owns.
//
//   c2f::parameter<c2f::initial::he_normal, 16, 3, 3, 3> weight;   // [16, 3, 3, 3], trained
//   c2f::buffer<c2f::initial::zeros, 16> running_mean;             // [16], saved but not trained
//
// The shape is part of the type, so counts are known at compile time. A tensor is undefined until c2f::initialize (core/visit.hpp) or
// make_network gives it a value; using it before throws c2f::error. Copying copies the values: networks are value types.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/initial.hpp>

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace c2f {

/// The static properties of a parameter or buffer, for code that visits tensors of all types.
struct state_traits {
  bool trained;                                                                 ///< parameter (true) or buffer (false)
  std::span<std::int64_t const> dims;                                           ///< its shape
  double (*draw)(random_stream&, std::span<std::int64_t const>, std::int64_t);  ///< its initial value, one element per call
  at::ScalarType type                                   = at::kFloat;           ///< its element type
  bool on_host                                          = false;                ///< stays in host memory when the network moves
  void (*finish)(std::span<std::int64_t const>, float*) = nullptr;              ///< changes its initial value as a whole, after all draws
  bool frozen                                           = false;                ///< below c2f::frozen: no training changes it
  [[nodiscard]] constexpr std::int64_t count() const {
    std::int64_t product = 1;
    for (auto const dim : dims) product *= dim;
    return product;
  }
};

/// Two groups of channels that a layer with a weight [out, in, ...] keeps apart: the first `in` and `out` channels, and the others.
struct channel_blocks {
  std::int64_t in = 0, out = 0;
  bool attention = false;  ///< not apart, but joined by cross attention (layers/conv_blocks.hpp)
  friend bool operator==(channel_blocks const&, channel_blocks const&) = default;
};

/// Base of parameters and buffers: a tensor that is copied with its owner.
class state_tensor {
 public:
  state_tensor()                                   = default;
  state_tensor(state_tensor&&) noexcept            = default;
  state_tensor& operator=(state_tensor&&) noexcept = default;
  state_tensor(state_tensor const& other) : tensor_(copy_of(other.tensor_)), blocks_(other.blocks_) {}
  state_tensor& operator=(state_tensor const& other) {
    if (this != &other) assign(copy_of(other.tensor_)), blocks_ = other.blocks_;
    return *this;
  }
  ~state_tensor() = default;

  /// The tensor; throws c2f::error if the network was never initialised.
  [[nodiscard]] at::Tensor const& tensor() const {
    if (!tensor_.defined())
      throw error(
          "a network was used before it had values; make it with c2f::make_network<...>(seed) or call c2f::initialize(network, seed), and "
          "list all its members in C2F_MEMBERS(...), or a member has none");
    return tensor_;
  }
  /// The tensor in the element type of `like` (the tensor itself if it is the same): bfloat16 inputs work with float32 parameters.
  [[nodiscard]] at::Tensor as(at::Tensor const& like) const {
    at::Tensor const& own = tensor();
    if (own.scalar_type() == like.scalar_type()) return own;
    return low_.defined() && low_.scalar_type() == like.scalar_type() ? low_ : own.to(like.scalar_type());
  }
  void assign(at::Tensor value) {
    tensor_ = std::move(value);
    low_.reset();
  }
  /// A cached copy in bfloat16, which `as` returns instead of converting again. The caller of set_bf16_copy keeps it up to date. Copies of the
  /// network do not have it.
  [[nodiscard]] at::Tensor const& bf16_copy() const { return low_; }
  void set_bf16_copy(at::Tensor copy) { low_ = std::move(copy); }
  /// The blocks of a weight whose layer keeps channels apart; nullptr for all others. They are kept when another tensor is assigned.
  [[nodiscard]] channel_blocks const* blocks() const { return blocks_.get(); }
  void set_blocks(channel_blocks const& blocks) { blocks_ = std::make_shared<channel_blocks const>(blocks); }
  void clear_blocks() { blocks_.reset(); }
  [[nodiscard]] bool defined() const { return tensor_.defined(); }

 private:
  static at::Tensor copy_of(at::Tensor const& tensor) {
    return tensor.defined() ? tensor.detach().clone().set_requires_grad(tensor.requires_grad()) : at::Tensor();
  }
  at::Tensor tensor_, low_;
  std::shared_ptr<channel_blocks const> blocks_;
};

namespace detail {
template <class Initial>
consteval auto finish_of() -> void (*)(std::span<std::int64_t const>, float*) {
  if constexpr (requires(float* values) { Initial::finish({}, values); })
    return &Initial::finish;
  else
    return nullptr;
}
template <bool Trained, class Initial, std::int64_t... Dims>
struct typed_state_tensor : state_tensor {
  static constexpr std::array<std::int64_t, sizeof...(Dims)> dims{Dims...};
  static constexpr std::int64_t count = (std::int64_t{1} * ... * Dims);
  static constexpr state_traits traits{Trained, dims, &Initial::draw, at::kFloat, false, finish_of<Initial>()};
};
}  // namespace detail

/// A trained tensor of shape `Dims`; `Initial` is a type of core/initial.hpp.
template <class Initial, std::int64_t... Dims>
struct parameter : detail::typed_state_tensor<true, Initial, Dims...> {};

/// A tensor of shape `Dims` that is saved and moved with the network but not trained (running statistics).
template <class Initial, std::int64_t... Dims>
struct buffer : detail::typed_state_tensor<false, Initial, Dims...> {};

namespace detail {
template <class T>
concept any_state_tensor = std::is_base_of_v<state_tensor, T> && requires { T::traits; };
}  // namespace detail

}  // namespace c2f
