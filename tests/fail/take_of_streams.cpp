// expect-error: the first samples of a split that composes its batches are no batches
// expect-error: got<c2f::data::streams<
#include <c2f/data/streams.hpp>
#include <c2f/data/synthetic/glyphs.hpp>

using c2f::data::stream, c2f::data::streams;
c2f::data::glyphs<8> const data;
#ifdef CORRECTED
streams const few{stream{c2f::data::take(data.train, 64), 16}, stream{data.test, 16}};
#else
auto const few = c2f::data::take(streams{stream{data.train, 16}, stream{data.test, 16}}, 64);
#endif
