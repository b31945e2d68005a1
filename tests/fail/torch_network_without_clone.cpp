// expect-error: c2f::torch_network copies its module, and this one has no clone\(\)
// expect-error: got<my_net>
#include <c2f/c2f.hpp>
#include <c2f/torch/network.hpp>

#include <torch/nn/modules/linear.h>

#ifdef CORRECTED
struct my_net : torch::nn::Cloneable<my_net> {
#else
struct my_net : torch::nn::Module {
#endif
  std::int64_t channels;
  torch::nn::Linear fc{nullptr};
  explicit my_net(std::int64_t in) : channels(in) { make(); }
  void make() { fc = register_module("fc", torch::nn::Linear(channels, 10)); }
#ifdef CORRECTED
  void reset() override { make(); }
#endif
  at::Tensor forward(at::Tensor const& x) { return fc(x.mean({2, 3})); }
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::torch_network<my_net, c2f::class_vector<10>>;
};
c2f::stack<mine> model;
