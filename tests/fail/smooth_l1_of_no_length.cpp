// expect-error: c2f::loss::smooth_l1 needs a distance above 0
#include <c2f/c2f.hpp>
#include <c2f/kinds/regression.hpp>

#ifdef CORRECTED
c2f::loss::smooth_l1<0.5> mine;
#else
c2f::loss::smooth_l1<0> mine;
#endif
