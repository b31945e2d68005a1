// expect-error: a stream cannot compose batches itself
// expect-error: got<c2f::data::streams<
#include <c2f/data/streams.hpp>
#include <c2f/data/synthetic/glyphs.hpp>

using c2f::data::stream, c2f::data::streams;
c2f::data::glyphs<8> const data;
#ifdef CORRECTED
streams const all{stream{data.train, 16}, stream{data.test, 16}, stream{data.train, 32}};
#else
streams const all{stream{streams{stream{data.train, 16}, stream{data.test, 16}}, 32}, stream{data.train, 32}};
#endif
