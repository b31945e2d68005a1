// expect-error: a task needs an input
// expect-error: in_task<stage>
// A task without an input is a stage of other tasks, and no model.
#include <c2f/c2f.hpp>

using small = c2f::resnet_cifar<8, c2f::class_vector<4>>;
struct stage {
  using network = small;
};
struct mine {
  static constexpr char const* name = "mine";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::coarse_fine<c2f::stack<stage>, small>;
};
#ifdef CORRECTED
using task = mine;
#else
using task = stage;
#endif

void use(c2f::data::glyphs<4> const& data) {
  c2f::stack<task> model(1);
  c2f::fit(model, data, c2f::recipe::settings{}.epochs(1));
}
