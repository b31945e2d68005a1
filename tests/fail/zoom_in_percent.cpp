// expect-error: c2f::fuse::zoom needs a threshold and a margin from 0 to below 1
#include <c2f/c2f.hpp>
#include <c2f/systems/coarse2fine.hpp>

struct mine : c2f::systems::coarse2fine<c2f::class_vector<10>, c2f::conv<16, 3, 2>, c2f::image<3, 32, 32>> {
#ifdef CORRECTED
  using fuse = c2f::fuse::zoom<0.5>;
#else
  using fuse = c2f::fuse::zoom<50>;
#endif
};
static_assert(c2f::task<mine>);
