// expect-error: c2f::depth_map needs a largest depth of 1 or more
#include <c2f/c2f.hpp>
#include <c2f/kinds/depth_map.hpp>

#ifdef CORRECTED
using kind = c2f::depth_map<88>;
#else
using kind = c2f::depth_map<0>;
#endif
static_assert(kind::is_depth);
