// expect-error: c2f::torch_network needs a torch::nn::Module that can be made from a number of channels
// expect-error: got<my_net>
// As the fine network it has six input channels instead of three, so the number is a constructor argument.
#include <c2f/c2f.hpp>
#include <c2f/torch/network.hpp>

#include <torch/nn/modules/linear.h>

struct my_net : torch::nn::Cloneable<my_net> {
  torch::nn::Linear fc{nullptr};
#ifdef CORRECTED
  explicit my_net(std::int64_t channels) : fc(register_module("fc", torch::nn::Linear(channels, 10))) {}
#else
  my_net() : fc(register_module("fc", torch::nn::Linear(3, 10))) {}
#endif
  void reset() override {}
  at::Tensor forward(at::Tensor const& x) { return fc(x.mean({2, 3})); }
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::torch_network<my_net, c2f::class_vector<10>>;
};
c2f::stack<mine> model;
