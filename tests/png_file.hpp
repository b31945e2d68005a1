// tests/png_file.hpp: PNG files with exactly these bytes, for tests of readers.
//
//   tests::write_png(path, pixels, height, width, SPNG_COLOR_TYPE_GRAYSCALE);
#pragma once

#include <spng.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "catch.hpp"

namespace tests {

/// A PNG: rows from the top, packed as the file has them.
inline std::vector<std::uint8_t> png_of(std::vector<std::uint8_t> const& pixels, std::int64_t height, std::int64_t width, std::uint8_t type,
                                        std::uint8_t bits = 8) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> const context(spng_ctx_new(SPNG_CTX_ENCODER), &spng_ctx_free);
  REQUIRE(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1) == 0);
  spng_ihdr header{static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), bits, type, 0, 0, 0};
  REQUIRE(spng_set_ihdr(context.get(), &header) == 0);
  REQUIRE(spng_encode_image(context.get(), pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE) == 0);
  std::size_t size = 0;
  int failed       = 0;
  std::unique_ptr<void, decltype(&std::free)> const png(spng_get_png_buffer(context.get(), &size, &failed), &std::free);
  REQUIRE(failed == 0);
  auto const* const bytes = static_cast<std::uint8_t const*>(png.get());
  return {bytes, bytes + size};
}
/// The same as a file; its folder is created.
inline void write_png(std::filesystem::path const& path, std::vector<std::uint8_t> const& pixels, std::int64_t height, std::int64_t width,
                      std::uint8_t type) {
  std::filesystem::create_directories(path.parent_path());
  auto const bytes = png_of(pixels, height, width, type);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace tests
