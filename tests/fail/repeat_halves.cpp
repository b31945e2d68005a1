// expect-error: c2f::repeat needs a block that keeps its shape from the second time on
// expect-error: got<c2f::image<32, 8, 8>
// expect-error: wanted<c2f::image<32, 16, 16>
// The first block may halve the map; the following blocks have one type, so they must all have the same input shape.
#include <c2f/layers/residual.hpp>

#ifdef CORRECTED
using stage = c2f::repeat<3, c2f::basic_block<32, 2>, c2f::basic_block<32>>;
#else
using stage = c2f::repeat<3, c2f::basic_block<32, 2>>;
#endif
c2f::network_on<stage, c2f::image<16, 32, 32>> net;
