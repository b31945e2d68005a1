// expect-error: c2f::data::pictures keeps a class in a byte
#include <c2f/data/pictures.hpp>

#ifdef CORRECTED
using sketches = c2f::data::pictures<250>;
#else
using sketches = c2f::data::pictures<1000>;
#endif
auto const classes = sketches::class_count();
