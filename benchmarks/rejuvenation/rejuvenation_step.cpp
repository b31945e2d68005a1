// bench_rejuvenation_step: what a surgery of VGG-19 for CIFAR-100 takes, with rescaling and the momentum of all parameters; and the CPU time of
// a training step after it against that of a network whose type has these widths. In alternation, one thread; prints the least and the median of
// each and the ratio.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/vgg_norm.hpp>
#include <c2f/train/channel_surgery.hpp>
#include <c2f/train/sgd.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <vector>

namespace {

using kind = c2f::class_vector<100>;
using found =
    c2f::norm_vgg<kind,
                  c2f::vgg_layers<45, 45, 90, 90, c2f::vgg_pool, 181, 181, 181, 181, 361, 361, c2f::vgg_pool, 361, 361, 361, 361, 361, 361>>;

template <class Net>
double step(Net const& net, c2f::sgd& optimizer, at::Tensor const& images, at::Tensor const& truth) {
  std::clock_t const begin = std::clock();
  optimizer.zero_gradients();
  kind::default_loss::of(net(images, c2f::train), truth).backward();
  optimizer.step(0.01);
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}
double median(std::vector<double> all) {
  std::nth_element(all.begin(), all.begin() + std::ssize(all) / 2, all.end());
  return all[all.size() / 2];
}

}  // namespace

int main() {
  c2f::keep_memory();
  auto net         = c2f::make_network<c2f::vgg19_cifar<kind>, c2f::image<3, 32, 32>>(1);
  auto const fixed = c2f::make_network<found, c2f::image<3, 32, 32>>(1);
  {
    at::NoGradGuard const no_gradients;
    auto const graph = c2f::channels_of(net, 3, 32, 32);
    for (auto const& norm : graph.norms()) norm.weight->tensor().narrow(0, 0, norm.weight->tensor().size(0) / 2).zero_();
  }
  c2f::named_tensors momenta;
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained) momenta.emplace_back(path, each.tensor().detach().clone());
  });
  auto const begin = std::chrono::steady_clock::now();
  auto const graph = c2f::channels_of(net, 3, 32, 32);
  auto const done  = c2f::replace_channels(net, graph, {.budget = graph.cost(c2f::resource::parameters) / 2, .rescale = true}, &momenta);
  std::printf("surgery of VGG-19: %.2f s; growth %.3f, %ld parameters\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), done.growth,
              static_cast<long>(c2f::count_parameters(net)));
  auto other = fixed;
  if (c2f::count_parameters(net) != c2f::count_parameters(other)) {
    for (auto const& norm : done.norms) std::printf("%ld ", static_cast<long>(norm.after));
    std::printf("are not the widths of the type\n");
    return 1;
  }
  c2f::to_channels_last(net), c2f::to_channels_last(other);
  c2f::sgd first(net, {}), second(other, {});
  at::Tensor const images = c2f::detail::sample_numbers({16, 3, 32, 32}, 1).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor const truth  = at::arange(16, at::kLong);
  std::vector<double> after, always;
  for (int round = 0; round <= 15; ++round) {
    double const a = step(net, first, images, truth), b = step(other, second, images, truth);
    if (round > 0) after.push_back(a), always.push_back(b);  // the first is a warm-up
  }
  double const a = *std::min_element(after.begin(), after.end()), b = *std::min_element(always.begin(), always.end());
  std::printf("step of 16 pictures after it: least %.3f s, median %.3f s; of the type: %.3f s, %.3f s; ratios %.3f, %.3f\n", a,
              median(after), b, median(always), a / b, median(after) / median(always));
}
