// expect-error: the channels of c2f::joined_aspp are shared equally by its branches
// expect-error: got<c2f::vector<30>
// Four branches cannot share 30 channels.
#include <c2f/layers/aspp.hpp>

#ifdef CORRECTED
using module = c2f::joined_aspp<32, 3, 6>;
#else
using module = c2f::joined_aspp<30, 3, 6>;
#endif
static_assert(sizeof(c2f::network_on<module, c2f::image<32, 8, 8>>) > 0 && sizeof(module) > 0);
