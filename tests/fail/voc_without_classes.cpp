// expect-error: c2f::data::voc needs one class or more and squares of one pixel or more
#include <c2f/data/datasets/voc.hpp>

#ifdef CORRECTED
using data = c2f::data::voc<1, 192>;
#else
using data = c2f::data::voc<0, 192>;
#endif
static_assert(sizeof(data) > 0);
