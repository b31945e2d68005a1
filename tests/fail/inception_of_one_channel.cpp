// expect-error: c2f::inception_v3_features reads pictures of three channels
#include <c2f/c2f.hpp>
#include <c2f/networks/inception_v3.hpp>

#ifdef CORRECTED
using input = c2f::image<3, 299, 299>;
#else
using input = c2f::image<1, 299, 299>;
#endif
using features = c2f::network_on<c2f::inception_v3_features<>, input>;
static_assert(features::output::channels == 768);
