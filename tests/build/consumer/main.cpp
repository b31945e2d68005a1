#include <c2f/c2f.hpp>

#include <ATen/ops/randn.h>

#include <cstdio>

struct tiny {
  static constexpr char const* name = "tiny";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using schedule                    = c2f::schedule::ramp<0.5, 98>;
};
static_assert(c2f::task<tiny>);

int main() {
  c2f::stack<tiny> model;
  auto [coarse, fine] = model(at::randn({2, 3, 32, 32}), c2f::eval);
  std::printf("[%d, %d]\n", static_cast<int>(fine.size(0)), static_cast<int>(fine.size(1)));
  return coarse.sizes() == fine.sizes() && fine.size(0) == 2 && fine.size(1) == 10 ? 0 : 1;
}
