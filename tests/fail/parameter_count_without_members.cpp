// expect-error: c2f::parameter_count needs a network whose parameters are known while compiling
#include <c2f/layers/linear.hpp>

struct my_head {
  c2f::network_on<c2f::linear<10>, c2f::vector<64>> fc;
#ifdef CORRECTED
  C2F_MEMBERS(fc);
#endif
};
auto const count = c2f::parameter_count<my_head>;
