// expect-error: c2f::data::glyphs has groups of four classes
#include <c2f/data/synthetic/glyphs.hpp>

#ifdef CORRECTED
c2f::data::glyphs<12> data;
#else
c2f::data::glyphs<10> data;
#endif
