// expect-error: a task needs an input
// expect-error: in_task<mine>
// Without static_assert(c2f::task<mine>) the error is reported as well, and once.
#include <c2f/c2f.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 32, 32>;
#endif
  using network = c2f::resnet_cifar<8, c2f::class_vector<20>>;
};

int main() {
  c2f::stack<mine> model;
  c2f::fit(model, c2f::data::glyphs<20>(), c2f::recipe::cifar{}.epochs(1));
}
