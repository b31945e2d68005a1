// c2f/core/mode.hpp: training or inference, an argument of every call.
//
//   net(x, c2f::train);     // normalises by batch statistics and updates the running statistics
//   net(x, c2f::eval);      // uses the running statistics and changes nothing
//
// Networks store no mode flag, so two threads may use one network in different modes, and no result depends on earlier calls. The exception
// is c2f::torch_network, whose module has such a flag.
#pragma once

namespace c2f {

enum class mode { eval, train };
inline constexpr mode eval  = mode::eval;
inline constexpr mode train = mode::train;

}  // namespace c2f
