// A project that trains on a GPU where there is one, else on the CPU.
#include <c2f/c2f.hpp>
#include <c2f/cuda/gpu.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>

#include <cstdio>

struct tiny {
  static constexpr char const* name = "tiny";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<8, c2f::class_vector<4>>;
  using schedule                    = c2f::schedule::ramp<0.5, 2>;
};

int main() {
  c2f::recipe::cifar recipe;
  try {
    recipe.on(c2f::cuda::gpu());
  } catch (c2f::input_error const& none) {
    std::printf("%s\n", none.what());
  }
  c2f::stack<tiny> model;
  c2f::move_to(model, recipe.device());
  auto const images = at::ones({4, 3, 32, 32}).to(recipe.device()), truth = at::arange(4).to(recipe.device());
  c2f::pass step{.mode = c2f::train, .truth = truth, .t = 0};
  {
    c2f::with_fused const scope(&c2f::cuda::fused);  // on a CPU: the CPU versions of the kernels
    model(images, step);
    step.loss().backward();
  }
  std::printf("loss %f\n", step.loss().item<double>());
}
