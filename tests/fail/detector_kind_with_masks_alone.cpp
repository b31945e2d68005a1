// expect-error: the kind of a detector has masks, and its settings have no mask_head
// A kind with masks, and settings without a mask head.
#include <c2f/systems/region_detector.hpp>

struct settings : c2f::systems::
#ifdef CORRECTED
                      mask_rcnn
#else
                      faster_rcnn
#endif
{
  using backbone = c2f::pyramid_on<c2f::small_stages<8, 8, 12>, c2f::fpn<8>>;
};
using model = c2f::systems::region_detector<c2f::detections<3, 40, 100, 28>, c2f::image<3, 64, 96>, settings>;
static_assert(sizeof(model) > 0);
