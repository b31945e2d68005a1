// expect-error: a detector has a schedule and no source, so nothing depends on t
// A schedule without a source.
#include <c2f/systems/region_detector.hpp>

struct settings : c2f::systems::cascade_rcnn {
  using backbone = c2f::pyramid_on<c2f::small_stages<8, 8, 12>, c2f::fpn<8>>;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
#ifdef CORRECTED
  using source = c2f::source::sample;
#endif
};
using model = c2f::systems::region_detector<c2f::detections<3, 40>, c2f::image<3, 64, 96>, settings>;
static_assert(sizeof(model) > 0);
