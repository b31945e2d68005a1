// expect-error: co-training takes its views in pairs; write 2, 4 or 8 of them
#include <c2f/c2f.hpp>
#include <c2f/systems/deep_co_training.hpp>

struct photographs {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
#ifdef CORRECTED
constexpr std::size_t views = 4;
#else
constexpr std::size_t views = 3;
#endif
c2f::systems::deep_co_training<photographs, views> model({.labelled = 8, .unlabelled = 92});
