// expect-error: c2f::systems::vip_deeplab reads two frames of three channels
#include <c2f/c2f.hpp>
#include <c2f/systems/vip_deeplab.hpp>

#ifdef CORRECTED
using frames = c2f::image<6, 48, 64>;
#else
using frames = c2f::image<3, 48, 64>;
#endif
using model = c2f::systems::vip_deeplab<c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>, frames, c2f::systems::vip_small>;
static_assert(model::kind::count == 5);
