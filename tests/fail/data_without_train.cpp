// expect-error: a data set has a split to train on
// expect-error: in_dataset<digits>
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<20>>;
};
struct digits {
  c2f::data::glyphs<20> all;
#ifdef CORRECTED
  decltype(all.train) train = all.train, test = all.test;
#else
  decltype(all.train) test = all.test;
#endif
};

int main() {
  c2f::stack<mine> model;
  c2f::fit(model, digits(), c2f::recipe::cifar{}.epochs(1));
}
