// c2f/core/mode.hpp: whether a network is training, said at the call.
//
//   net(x, c2f::train)      batch statistics, running statistics move
//   net(x, c2f::eval)       running statistics, nothing moves
//
// No network hides a mode flag, so two threads may use one network in two ways, and no result depends on who called it last.
#pragma once

namespace c2f {

enum class mode { eval, train };
inline constexpr mode eval  = mode::eval;
inline constexpr mode train = mode::train;

}  // namespace c2f
