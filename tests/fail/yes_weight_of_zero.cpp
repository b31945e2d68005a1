// expect-error: c2f::loss::binary_cross_entropy needs weights above 0 for the yes of each attribute
#include <c2f/c2f.hpp>
#include <c2f/kinds/multi_label.hpp>

#ifdef CORRECTED
c2f::loss::binary_cross_entropy<std::array{1.0, 2.0}> mine;
#else
c2f::loss::binary_cross_entropy<std::array{1.0, 0.0}> mine;
#endif
