// expect-error: c2f::multi_label needs one attribute or more
#include <c2f/c2f.hpp>
#include <c2f/kinds/multi_label.hpp>

#ifdef CORRECTED
using kind = c2f::multi_label<3>;
#else
using kind = c2f::multi_label<0>;
#endif
kind mine;
