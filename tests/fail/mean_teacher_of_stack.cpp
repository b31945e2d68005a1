// expect-error: the student of a mean teacher is one network
#include <c2f/c2f.hpp>
#include <c2f/systems/mean_teacher.hpp>

struct pair {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
struct photographs {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = pair::network;
#else
  using network = c2f::stack<pair>;
#endif
};
c2f::systems::mean_teacher<photographs> model({.labelled = 8, .unlabelled = 92});
