// c2f/core/dims.hpp: the sizes of a tensor, for messages: "[8, 3, 32, 32]".
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace c2f::detail {

inline std::string dims_of(at::Tensor const& tensor) {
  std::string text = "[";
  for (auto const size : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + ']';
}

}  // namespace c2f::detail
