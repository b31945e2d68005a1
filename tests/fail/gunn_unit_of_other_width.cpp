// expect-error: a unit of c2f::gunn ends in the channels of its group
// expect-error: got<c2f::image<12, 4, 4.*wanted<c2f::image<12, 8, 8
#include <c2f/layers/gunn.hpp>

struct my_unit {
  static constexpr bool residual = true;
  template <std::int64_t Width>
#ifdef CORRECTED
  using of = c2f::conv<Width, 3>;
#else
  using of = c2f::conv<Width, 3, 2>;
#endif
};
c2f::network_on<c2f::gunn<4, my_unit>, c2f::image<48, 8, 8>> net;
