// c2f/data/draw/label_picture.hpp: writes a label map as a PNG of one byte a pixel, grey or with a palette.
//
//   c2f::data::label_bytes const mask{2, 2, {0, 1, 1, 255}};
//   auto const png = c2f::data::encode_label_picture(mask, {{{0, 0, 0}, {255, 0, 0}}});      // the bytes of the file
//   auto const again = c2f::data::decode_label_picture(png, "mask.png");                    // mask
//
// Of a palette with fewer colours than labels the missing ones are grey. Needs libspng.
// Error: input_error for a map whose bytes are not height * width.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <spng.h>

#include <c2f/core/errors.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/io/picture_file.hpp>

namespace c2f::data {

/// The bytes of a PNG: with `palette`, an indexed one; without, a grey one.
[[nodiscard]] inline std::vector<std::uint8_t> encode_label_picture(label_bytes const& mask, std::vector<colour> const& palette = {}) {
  if (mask.height < 1 || mask.width < 1 || std::ssize(mask.labels) != mask.height * mask.width)
    throw input_error("a map of " + std::to_string(mask.labels.size()) + " labels is not one of " + std::to_string(mask.width) + " x " +
                      std::to_string(mask.height) + " pixels; pass height * width bytes");
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> const context(spng_ctx_new(SPNG_CTX_ENCODER), &spng_ctx_free);
  spng_ihdr header{};
  header.width      = static_cast<std::uint32_t>(mask.width);
  header.height     = static_cast<std::uint32_t>(mask.height);
  header.bit_depth  = 8;
  header.color_type = palette.empty() ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_INDEXED;
  spng_plte colours{};
  colours.n_entries = static_cast<std::uint32_t>(1 + *std::max_element(mask.labels.begin(), mask.labels.end()));
  for (std::size_t i = 0; i < colours.n_entries; ++i) {
    colour const tint  = i < palette.size() ? palette[i] : colour{128, 128, 128};
    colours.entries[i] = {tint.red, tint.green, tint.blue, 255};
  }
  int failed = context ? spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1) : SPNG_EMEM;
  if (!failed) failed = spng_set_ihdr(context.get(), &header);
  if (!failed && !palette.empty()) failed = spng_set_plte(context.get(), &colours);
  if (!failed) failed = spng_encode_image(context.get(), mask.labels.data(), mask.labels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  detail::png_bytes png;
  if (!failed) png.data.reset(spng_get_png_buffer(context.get(), &png.size, &failed));
  if (failed) throw input_error("cannot encode a map of labels: " + std::string(spng_strerror(failed)) + "; make it smaller");
  auto const* const bytes = static_cast<std::uint8_t const*>(png.data.get());
  return {bytes, bytes + png.size};
}

}  // namespace c2f::data
