// expect-error: a detector with a mask_head gives masks of twice as many cells along a side as its mask_crop
// A mask head, and a kind without masks.
#include <c2f/systems/region_detector.hpp>

struct settings : c2f::systems::mask_rcnn {
  using backbone = c2f::pyramid_on<c2f::small_stages<8, 8, 12>, c2f::fpn<8>>;
};
#ifdef CORRECTED
using kind = c2f::detections<3, 40, 100, 28>;
#else
using kind = c2f::detections<3, 40>;
#endif
using model = c2f::systems::region_detector<kind, c2f::image<3, 64, 96>, settings>;
static_assert(sizeof(model) > 0);
