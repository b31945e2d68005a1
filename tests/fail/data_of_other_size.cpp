// expect-error: the data's images are not of the task's input shape
// expect-error: got<c2f::image<3, 32, 32>
// expect-error: wanted<c2f::image<3, 64, 64>
#include <c2f/c2f.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 32, 32>;
#else
  using input = c2f::image<3, 64, 64>;
#endif
  using network = c2f::resnet_cifar<8, c2f::class_vector<20>>;
};

int main() {
  c2f::stack<mine> model;
  c2f::fit(model, c2f::data::glyphs<20>(), c2f::recipe::cifar{}.epochs(1));
}
