// expect-error: the next-frame branch of c2f::systems::vip_deeplab sees centres if its configuration has source, encoder and schedule
#include <c2f/c2f.hpp>
#include <c2f/systems/vip_deeplab.hpp>

struct guided : c2f::systems::vip_small {
  using source = c2f::source::sample;
#ifdef CORRECTED
  using encoder  = c2f::encode::dense<>;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
#endif
};
using labels = c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>;
static_assert(c2f::systems::vip_deeplab<labels, c2f::image<6, 48, 64>, guided>::kind::count == 5);
