// expect-error: the data does not have as many classes as the task's networks predict
// expect-error: got<c2f::vector<20>
// expect-error: wanted<c2f::vector<10>
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::resnet_cifar<8, c2f::class_vector<20>>;
#else
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#endif
};

int main() {
  c2f::stack<mine> model;
  c2f::fit(model, c2f::data::glyphs<20>(), c2f::recipe::cifar{}.epochs(1));
}
