// expect-error: the wanted message
#ifndef CORRECTED
#include "no_such_header.hpp"  // the wanted message
#endif
