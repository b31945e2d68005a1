// expect-error: a model that learns from few labels compares class probabilities; use a network of a c2f::class_vector
// expect-error: got<c2f::boxes<1>
#include <c2f/c2f.hpp>
#include <c2f/systems/deep_co_training.hpp>

#ifdef CORRECTED
using kind = c2f::class_vector<10>;
using net  = c2f::resnet_cifar<8, kind>;
#else
using kind = c2f::boxes<1>;
using net  = c2f::localiser<c2f::resnet_cifar_features<8>, kind, 8>;
#endif
struct photographs {
  using input   = c2f::image<3, 32, 32>;
  using network = net;
};
c2f::systems::deep_co_training<photographs> model({.labelled = 8, .unlabelled = 92});
