// c2f/fwd.hpp: forward declarations of the encoders that a kind names as its default.
#pragma once

#include <cstdint>

namespace c2f::encode {
struct compact;
template <class Evaluation = compact, std::int64_t Hidden = 0, std::int64_t... Kernels>
struct tile;
struct hard;
template <class Edges = hard, std::int64_t Hidden = 0, std::int64_t... Kernels>
struct rasterize;
template <std::int64_t Hidden = 0, std::int64_t... Kernels>
struct dense;
struct none;
}  // namespace c2f::encode
