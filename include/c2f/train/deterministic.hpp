// c2f/train/deterministic.hpp: runs a function with deterministic algorithms only.
//
//   auto scores = c2f::deterministically(true, [&] { return c2f::evaluate(model, data.test); });
//
// Turns on the deterministic modes of LibTorch, oneDNN and cuDNN, sets CUBLAS_WORKSPACE_CONFIG if it is not set, and restores the modes
// afterwards. These are settings of the whole process. Cost: none on a CPU; on a GPU some algorithms are slower.
// Error: c2f::input_error for an operation without a deterministic algorithm; the message names it.
#pragma once

#include <c2f/core/errors.hpp>

#include <ATen/Context.h>

#include <cstdlib>
#include <exception>
#include <string>

namespace c2f {

namespace detail {

class deterministic_scope {
 public:
  deterministic_scope() {
    at::Context& context = at::globalContext();
    context.setDeterministicAlgorithms(true, /*warn_only=*/false);
    context.setDeterministicFillUninitializedMemory(false);  // it serves to find reads of uninitialised memory, and costs time
    context.setDeterministicMkldnn(true);
    context.setDeterministicCuDNN(true);
    context.setBenchmarkCuDNN(false);
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  }
  deterministic_scope(deterministic_scope const&)            = delete;
  deterministic_scope& operator=(deterministic_scope const&) = delete;
  ~deterministic_scope() {
    at::Context& context = at::globalContext();
    context.setDeterministicAlgorithms(algorithms_, warn_only_);
    context.setDeterministicFillUninitializedMemory(fill_);
    context.setDeterministicMkldnn(mkldnn_);
    context.setDeterministicCuDNN(cudnn_);
    context.setBenchmarkCuDNN(benchmark_);
  }

 private:
  bool algorithms_ = at::globalContext().deterministicAlgorithms(), warn_only_ = at::globalContext().deterministicAlgorithmsWarnOnly(),
       fill_ = at::globalContext().deterministicFillUninitializedMemory(), mkldnn_ = at::globalContext().deterministicMkldnn(),
       cudnn_ = at::globalContext().deterministicCuDNN(), benchmark_ = at::globalContext().benchmarkCuDNN();
};

/// Throws input_error if the message is LibTorch's about an operation without a deterministic algorithm.
inline void refuse_nondeterministic(std::string const& message) {
  auto const end = message.find(" does not have a deterministic implementation");
  if (end == std::string::npos) return;
  auto const line = message.rfind('\n', end);
  throw input_error("recipe.deterministic() is set, and the operation " +
                    message.substr(line == std::string::npos ? 0 : line + 1, end - (line == std::string::npos ? 0 : line + 1)) +
                    " has no deterministic algorithm; choose another layer or loss, or leave deterministic() out");
}

}  // namespace detail

/// Returns body(), run with deterministic algorithms if `wanted`.
template <class Body>
auto deterministically(bool wanted, Body const& body) {
  if (!wanted) return body();
  detail::deterministic_scope const scope;
  try {
    return body();
  } catch (libtorch_error const& error) {
    try {
      std::rethrow_if_nested(error);
    } catch (c10::Error const& nested) {
      detail::refuse_nondeterministic(nested.what_without_backtrace());
    }
    throw;
  } catch (c10::Error const& error) {
    detail::refuse_nondeterministic(error.what_without_backtrace());
    throw;
  }
}

}  // namespace c2f
