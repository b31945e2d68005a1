// expect-error: c2f::data::scenes draws pictures of 32 to 1024 pixels a side
#include <c2f/data/synthetic/scenes.hpp>

#ifdef CORRECTED
c2f::data::scenes<32> data;
#else
c2f::data::scenes<16> data;
#endif
