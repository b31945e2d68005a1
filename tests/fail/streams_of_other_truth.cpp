// expect-error: the streams of a batch need the same image
// expect-error: wanted<c2f::data::pictures<8>
#include <c2f/data/streams.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/synthetic/scenes.hpp>

c2f::data::glyphs<8> const data;
#ifdef CORRECTED
auto const other = data.test;
#else
auto const other = c2f::data::scenes<32>().train;
#endif
c2f::data::streams const both{c2f::data::stream{data.train, 32}, c2f::data::stream{other, 32}};
