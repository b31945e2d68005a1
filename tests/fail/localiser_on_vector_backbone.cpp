// expect-error: this layer works on a map
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 64, 64>;
#ifdef CORRECTED
  using backbone = c2f::sequential<c2f::conv<8, 3, 2>, c2f::relu>;
#else
  using backbone = c2f::sequential<c2f::conv<8, 3, 2>, c2f::relu, c2f::global_average_pool>;
#endif
  using network = c2f::localiser<backbone, c2f::boxes<1>, 64>;
};
static_assert(c2f::task<mine>);
