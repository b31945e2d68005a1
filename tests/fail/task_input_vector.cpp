// expect-error: a task's input is an image
// expect-error: in_task<mine>
// expect-error: got<c2f::vector<3072>
// A task takes images; a network may flatten them itself.
#include <c2f/c2f.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 32, 32>;
#else
  using input = c2f::vector<3 * 32 * 32>;
#endif
  using network = c2f::predicts<c2f::class_vector<10>, c2f::flatten, c2f::linear<10>>;
};
static_assert(c2f::task<mine>);
