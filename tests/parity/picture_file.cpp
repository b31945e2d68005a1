// Pictures as c2f decodes them, for a comparison with Pillow: parity_picture_file stored|turned IN OUT. IN has the bytes of files, as int64;
// OUT has their pixels [H, W, 3].
#include "exchange.hpp"

#include <c2f/data/io/picture_file.hpp>

#include <ATen/ops/empty.h>

#include <algorithm>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto const how = std::string(argv[1]) == "turned" ? c2f::data::exif::apply : c2f::data::exif::ignore;
  parity::tensors out;
  for (auto const& [name, numbers] : parity::read(argv[2])) {
    std::vector<std::uint8_t> bytes;
    for (std::int64_t i = 0; i < numbers.numel(); ++i)
      bytes.push_back(static_cast<std::uint8_t>(numbers.const_data_ptr<std::int64_t>()[i]));
    auto const picture = c2f::data::decode_picture(bytes, name, how);
    at::Tensor pixels  = at::empty({picture.height, picture.width, 3}, at::kLong);
    std::copy(picture.rgb.begin(), picture.rgb.end(), pixels.mutable_data_ptr<std::int64_t>());
    out[name] = pixels;
  }
  parity::write(argv[3], out);
}
