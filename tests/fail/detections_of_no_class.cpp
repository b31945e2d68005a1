// expect-error: c2f::detections needs a class, an object in a picture and an answer or more
// Detections of no class.
#include <c2f/kinds/detections.hpp>

#ifdef CORRECTED
using kind = c2f::detections<1, 40>;
#else
using kind = c2f::detections<0, 40>;
#endif
static_assert(kind::answers == 100);
