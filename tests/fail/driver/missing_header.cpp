// expect-error: the wanted sentence
#ifndef TWIN_OK
#include "no_such_header.hpp"  // the wanted sentence
#endif
