// Safetensors files between Python and c2f: parity_safetensors_file rewrite|make|check IN OUT
//   rewrite   IN is such a file; its content is written to IN.back and, as read by c2f, to OUT
//   make      IN is written with tensors made here, OUT has the same tensors
//   check     IN has the bytes of files, as int64; OUT has 1 for each file that is read, 0 for each that is refused
#include "exchange.hpp"

#include <c2f/data/io/safetensors.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>

#include <cstdio>
#include <exception>

namespace {

parity::tensors made() {
  parity::tensors all;
  for (auto const type :
       {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble})
    all[std::string("of ") + c10::toString(type)] =
        at::arange(6).sub(type == at::kBool || type == at::kByte ? 0 : 3).reshape({2, 3}).to(type);
  all["none"]     = at::empty({2, 0, 3});
  all["one"]      = at::full({}, -2.5);
  all["\"\\\n\t"] = at::arange(24, at::kFloat).reshape({1, 2, 3, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  return all;
}

std::int64_t is_read(at::Tensor const& numbers) {
  std::string bytes;
  for (std::int64_t i = 0; i < numbers.numel(); ++i) bytes += static_cast<char>(numbers.const_data_ptr<std::int64_t>()[i]);
  try {
    (void)c2f::data::parse_safetensors(bytes, "file");
    return 1;
  } catch (c2f::input_error const&) {
    return 0;
  }
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_safetensors_file rewrite|make|check IN OUT");
  std::string const what = words[1], in = words[2];
  parity::tensors results;
  if (what == "rewrite") {
    auto const found = c2f::data::read_safetensors(in);
    c2f::data::write_safetensors(in + ".back", found);
    results = found.tensors;
    std::erase_if(results, [](auto const& each) { return each.second.is_complex(); });  // the exchange format has real numbers only
  } else if (what == "make") {
    results = made();
    c2f::data::write_safetensors(in, {results, {{"made", "by c2f \xc3\xa9"}}});
  } else {
    for (auto const& [name, bytes] : parity::read(in)) results[name] = at::full({}, is_read(bytes), at::kLong);
  }
  parity::write(words[3], results);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_safetensors_file: %s\n", wrong.what());
  return 1;
}
