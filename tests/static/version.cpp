#include <c2f/version.hpp>

static_assert(C2F_VERSION >= 100 && C2F_VERSION < 1000000, "major * 10000 + minor * 100 + patch");
