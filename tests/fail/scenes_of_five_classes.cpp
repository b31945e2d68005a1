// expect-error: c2f::data::scenes knows four classes: car, bus, bicycle and airplane; write 1 to 4
#include <c2f/data/synthetic/scenes.hpp>

#ifdef CORRECTED
c2f::data::scenes<64, 4> data;
#else
c2f::data::scenes<64, 5> data;
#endif
