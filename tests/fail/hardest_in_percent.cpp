// expect-error: a loss of the hardest pixels needs a fraction of them above 0 and up to 1
#include <c2f/c2f.hpp>
#include <c2f/loss/hardest.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<5>>;
#ifdef CORRECTED
  using loss = c2f::loss::hardest<0.2>;
#else
  using loss = c2f::loss::hardest<20>;
#endif
};
static_assert(c2f::task<mine>);
