// expect-error: the two branches of c2f::residual end in different shapes
// expect-error: got<c2f::image<32, 32, 32>
// expect-error: wanted<c2f::image<16, 32, 32>
// A sum needs two maps of one shape: if the body changes it, the shortcut must as well.
#include <c2f/layers/residual.hpp>

using body = c2f::sequential<c2f::conv<32, 3>, c2f::batch_norm>;
#ifdef CORRECTED
using block = c2f::residual<body, c2f::conv<32, 1>>;
#else
using block = c2f::residual<body>;
#endif
c2f::network_on<block, c2f::image<16, 32, 32>> net;
