// tests/parity/exchange.hpp: a file format for tensors, to exchange them between Python and C++.
//
//   "C2FX"  then, to the end of the file:  u32 length of the name, the name, u32 type (0 float32, 1 int64), u32 rank, i64 dims, the numbers
//
// Little endian, row-major. _exchange.py is the Python side.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace parity {

using tensors = std::map<std::string, at::Tensor>;

class reader {
 public:
  explicit reader(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (text(4) != "C2FX") throw std::runtime_error(path + " is not an exchange file");
  }
  tensors all() {
    tensors found;
    while (at_ < bytes_.size()) {
      std::string const name = text(number<std::uint32_t>());
      auto const type        = number<std::uint32_t>();
      std::vector<std::int64_t> dims(limited(number<std::uint32_t>(), 8));
      std::size_t count = 1;
      for (auto& dim : dims)
        count = limited(count * limited(static_cast<std::size_t>(dim = number<std::int64_t>()), bytes_.size()), bytes_.size());
      at::Tensor value          = at::empty(dims, at::TensorOptions().dtype(type == 0 ? at::kFloat : at::kLong));
      std::string const numbers = text(count * value.element_size());
      std::memcpy(value.mutable_data_ptr(), numbers.data(), numbers.size());
      if (!found.emplace(name, value).second) throw std::runtime_error("'" + name + "' occurs twice in the exchange file");
    }
    return found;
  }

 private:
  static std::size_t limited(std::size_t value, std::size_t most) {
    if (value > most) throw std::runtime_error("an exchange file holds an invalid size");
    return value;
  }
  std::string text(std::size_t length) {
    if (length > bytes_.size() - at_) throw std::runtime_error("an exchange file ends too early");
    at_ += length;
    return bytes_.substr(at_ - length, length);
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, text(sizeof value).data(), sizeof value);
    return value;
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

inline tensors read(std::string const& path) { return reader(path).all(); }

inline void write(std::string const& path, tensors const& all) {
  std::ofstream file(path, std::ios::binary);
  auto const put = [&](auto value) { file.write(reinterpret_cast<char const*>(&value), sizeof value); };
  file.write("C2FX", 4);
  for (auto const& [name, tensor] : all) {
    bool const whole       = tensor.scalar_type() == at::kLong;
    at::Tensor const value = tensor.detach().to(whole ? at::kLong : at::kFloat).contiguous();
    put(static_cast<std::uint32_t>(name.size()));
    file.write(name.data(), static_cast<std::streamsize>(name.size()));
    put(std::uint32_t{whole ? 1u : 0u});
    put(static_cast<std::uint32_t>(value.dim()));
    for (auto const dim : value.sizes()) put(std::int64_t{dim});
    file.write(static_cast<char const*>(value.const_data_ptr()),
               static_cast<std::streamsize>(value.numel() * static_cast<std::int64_t>(value.element_size())));
  }
  if (!file.flush()) throw std::runtime_error("could not write " + path);
}

}  // namespace parity
