// expect-error: c2f::encode::project needs a kernel size or more
#include <c2f/parts/encode_project.hpp>

#ifdef CORRECTED
using my_project = c2f::encode::project<16, 3>;
#else
using my_project = c2f::encode::project<16>;
#endif
auto const radius = my_project::radius;
