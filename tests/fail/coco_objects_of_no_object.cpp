// expect-error: c2f::data::coco_objects needs one object or more, sides of one pixel or more
#include <c2f/data/datasets/coco_objects.hpp>

#ifdef CORRECTED
using data = c2f::data::coco_objects<1, 192>;
#else
using data = c2f::data::coco_objects<0, 192>;
#endif
static_assert(sizeof(data) > 0);
