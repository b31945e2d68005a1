// c2f/fwd.hpp: forward declarations for headers that name a type without using it.
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
}  // namespace c2f::encode
