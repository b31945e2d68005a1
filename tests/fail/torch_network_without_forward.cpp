// expect-error: c2f::torch_network calls the module's 'torch::Tensor forward\(torch::Tensor\)', and it has none
// expect-error: got<my_net>
#include <c2f/c2f.hpp>
#include <c2f/torch/network.hpp>

#include <torch/nn/modules/linear.h>

struct my_net : torch::nn::Cloneable<my_net> {
  std::int64_t channels;
  torch::nn::Linear fc{nullptr};
  explicit my_net(std::int64_t in) : channels(in) { reset(); }
  void reset() override { fc = register_module("fc", torch::nn::Linear(channels, 10)); }
#ifdef CORRECTED
  at::Tensor forward(at::Tensor const& x) { return fc(x.mean({2, 3})); }
#else
  at::Tensor operator()(at::Tensor const& x) { return fc(x.mean({2, 3})); }
#endif
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::torch_network<my_net, c2f::class_vector<10>>;
};
c2f::stack<mine> model;
