// expect-error: a detector has a source and one stage after its proposals at most, so no stage sees what another one predicts
// A source in a detector of one stage.
#include <c2f/systems/region_detector.hpp>

struct settings : c2f::systems::
#ifdef CORRECTED
                      cascade_rcnn
#else
                      faster_rcnn
#endif
{
  using backbone = c2f::pyramid_on<c2f::small_stages<8, 8, 12>, c2f::fpn<8>>;
  using source   = c2f::source::sample;
};
using model = c2f::systems::region_detector<c2f::detections<3, 40>, c2f::image<3, 64, 96>, settings>;
static_assert(sizeof(model) > 0);
