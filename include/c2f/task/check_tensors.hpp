// c2f/task/check_tensors.hpp: checks of the tensors that a stack is given, and of those that its networks return.
//
//   c2f::detail::check_images("cifar100", {3, 32, 32}, x);                     // input_error: task 'cifar100' takes images …
//   c2f::detail::check_truth<c2f::class_vector<100>, input>("cifar100", x, labels);
//
// One sentence for what LibTorch would refuse deep in an operation, and for what it would accept: a label that no class has, which one loss
// ignores and another reads beyond its input. Cost: comparisons of sizes; for truths that are labels on the CPU, one pass over them. Labels
// on a GPU are not read, since that would wait for the device; c2f::data::loader reads them before.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/labels.hpp>
#include <c2f/core/libtorch_error.hpp>
#include <c2f/core/shapes.hpp>

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace c2f::detail {

/// "[N, 3, any, any]"; "[N, ...]" for dims that nobody says.
inline std::string text_of_dims(std::span<std::int64_t const> dims) {
  if (dims.data() == nullptr) return "[N, ...]";
  std::string text = "[N";
  for (auto const size : dims) text += ", " + (size == dynamic ? std::string("any") : std::to_string(size));
  return text + ']';
}
/// std::array<T, 0>::data() may be nullptr.
template <std::size_t Rank>
std::span<std::int64_t const> dims_span(std::array<std::int64_t, Rank> const& dims) {
  static constexpr std::int64_t none = 0;
  return {Rank == 0 ? &none : dims.data(), Rank};
}
inline bool fits(at::Tensor const& found, std::int64_t n, std::span<std::int64_t const> dims) {
  if (found.dim() != 1 + std::ssize(dims) || found.size(0) != n) return false;
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != dynamic && found.size(1 + static_cast<std::int64_t>(i)) != dims[i]) return false;
  return true;
}
inline std::string of_task(char const* name) { return std::string("task '") + name + '\''; }

inline void check_images(char const* task, std::array<std::int64_t, 3> const& dims, at::Tensor const& x) {
  if (x.dim() != 4 || !fits(x, x.size(0), dims))
    throw input_error(of_task(task) + " takes images " + text_of_dims(dims) + ", found " + (x.defined() ? dims_of(x) : "no tensor") +
                      "; resize them, or change the task's input");
  if (!x.is_floating_point())
    throw input_error(of_task(task) + " takes images of floats, found " + text_of(x) + "; convert them, and scale them as in training");
}

inline void check_t(char const* task, double t) {
  if (!(t >= 0 && t <= 1))
    throw input_error(of_task(task) + " is trained with t = " + std::to_string(t) + "; t is a probability, from 0 to 1");
}

inline void check_truth(char const* task, at::Tensor const& x, at::Tensor const& truth, at::ScalarType type,
                        std::span<std::int64_t const> dims, truth_labels labels) {
  auto const wanted = [&] { return text_of_dims(dims) + " of " + c10::toString(type) + " on " + x.device().str() + ", for N images"; };
  if (!truth.defined()) throw input_error(of_task(task) + " is trained without a truth; give the pass .truth = " + wanted());
  bool const type_fits = truth.scalar_type() == type || (c10::isFloatingType(type) && truth.is_floating_point());
  bool const size_fits = dims.data() == nullptr ? truth.dim() > 0 && truth.size(0) == x.size(0) : fits(truth, x.size(0), dims);
  if (!type_fits || truth.device() != x.device() || !size_fits)
    throw input_error(of_task(task) + " is trained on a truth " + text_of(truth) + " for " + std::to_string(x.size(0)) +
                      " images; it has to be " + wanted());
  if (x.size(0) == 0) throw input_error(of_task(task) + " is trained on a batch without images; give it one or more");
  if (labels.count == 0 || type != at::kLong || !truth.is_cpu()) return;
  at::Tensor const dense = truth.contiguous();
  auto const* const data = dense.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < dense.numel(); ++i)
    if (!has_label(labels, data[i]))
      throw_label("sample " + std::to_string(i / (dense.numel() / dense.size(0))) + " of a batch for " + of_task(task), data[i],
                  labels.count);
}
/// Kind: of the truth; In: the shape of the images x.
template <class Kind, class In>
void check_truth(char const* task, at::Tensor const& x, at::Tensor const& truth) {
  constexpr at::ScalarType type = c10::CppTypeToScalarType<typename Kind::truth_value>::value;
  if constexpr (requires { Kind::weighed_truths; })  // the other form of its truths
    if (truth.defined() && truth.is_floating_point() && truth.dim() == 2) {
      static constexpr std::array<std::int64_t, 1> classes{Kind::classes};
      return check_truth(task, x, truth, at::kFloat, classes, {});
    }
  if constexpr (requires { Kind::attributes; })
    if (truth.defined() && truth.is_cpu() && truth.is_floating_point() && truth.lt(0).logical_or(truth.gt(1)).any().item<bool>())
      throw input_error(of_task(task) + " is trained on attributes outside of 0 to 1, such as " +
                        std::to_string(truth.masked_select(truth.lt(0).logical_or(truth.gt(1)))[0].item<double>()) +
                        "; write 1 for yes, 0 for no, and NaN for unknown");
  if constexpr (requires { Kind::template truth_dims<In>; })
    check_truth(task, x, truth, type, dims_span(Kind::template truth_dims<In>), labels_of_kind<Kind>);
  else
    check_truth(task, x, truth, type, {}, labels_of_kind<Kind>);
}

inline void check_output(char const* task, char const* stage, at::Tensor const& x, at::Tensor const& found,
                         std::span<std::int64_t const> dims) {
  if (found.defined() && found.dim() > 0 && fits(found, found.size(0), dims) && found.is_floating_point()) return;
  throw input_error("the " + std::string(stage) + " network of " + of_task(task) + " returns " + text_of(found) + " for " + text_of(x) +
                    ", and its 'output' says " + text_of_dims(dims) + " of floats; correct its last layer, or its 'output'");
}
/// Output: the shape that the network declares. Free are heights and widths, as networks may end at a fraction of the size, and the number of
/// samples, as of a network on the crops of an image.
template <class Output>
void check_output(char const* task, char const* stage, at::Tensor const& x, at::Tensor const& found) {
  if constexpr (image_shape<Output>)
    check_output(task, stage, x, found, std::array<std::int64_t, 3>{Output::channels, dynamic, dynamic});
  else if constexpr (vector_shape<Output>)
    check_output(task, stage, x, found, std::array<std::int64_t, 1>{Output::channels});
}

}  // namespace c2f::detail
