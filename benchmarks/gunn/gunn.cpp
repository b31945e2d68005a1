// bench_gunn: memory and CPU time of a training step of one gradually updated layer of 240 channels on 16 maps of 32x32, and of GUNN-15 on 16
// pictures, whose activations are recomputed or kept. Prints CSV: groups (0: GUNN-15), recomputed or kept, bytes that are kept between
// forward and backward pass, bytes at the peak of the step, seconds (the least of several rounds in alternation). Counted are LibTorch's
// allocations beyond the maps that the step reads and the gradients that are there before it; not what oneDNN uses inside of a convolution.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/gunn.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>

#include "../counted_bytes.hpp"

namespace {

using c2f::activations::kept;
using c2f::activations::recomputed;

struct measured {
  std::int64_t kept = 0, peak = 0;
  double seconds = 1e9;
};

/// A pass and its backward pass; the gradients of parameters are there before, as from the second step of a training on.
template <class Net>
void step(Net const& net, at::Tensor const& x, measured& found) {
  at::Tensor const read    = x.detach().set_requires_grad(true);
  auto const bytes         = std::make_shared<counted_bytes>();
  std::clock_t const begin = std::clock();
  {
    c10::DebugInfoGuard const counting(c10::DebugInfoKind::PROFILER_STATE, bytes);
    at::Tensor const y = net(read, c2f::train), gradient = at::ones_like(y);
    found.kept = bytes->now - static_cast<std::int64_t>(gradient.nbytes());
    y.backward(gradient);
  }
  found.seconds = std::min(found.seconds, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  found.peak    = bytes->peak;
}

template <template <class> class Architecture, class In>
void compare(int groups, int rounds) {
  auto const ours    = c2f::make_network<Architecture<recomputed>, In>(1);
  auto const plain   = c2f::make_network<Architecture<kept>, In>(1);
  at::Tensor const x = c2f::detail::sample_numbers({16, In::channels, In::height, In::width}, 1).to(at::kFloat);
  measured a, b;
  for (int round = 0; round <= rounds; ++round) {
    if (round == 1) a.seconds = b.seconds = 1e9;  // the first was a warm-up
    step(ours, x, a);
    step(plain, x, b);
  }
  std::printf("%d,recomputed,%lld,%lld,%.3f\n%d,kept,%lld,%lld,%.3f\n", groups, static_cast<long long>(a.kept),
              static_cast<long long>(a.peak), a.seconds, groups, static_cast<long long>(b.kept), static_cast<long long>(b.peak), b.seconds);
  std::fflush(stdout);
}

template <int Groups>
struct layer_of {
  template <class Activations>
  using type = c2f::gunn<Groups, c2f::gunn15_unit, c2f::update::gradual, Activations>;
};
template <class Activations>
using gunn15 = c2f::gunn15<c2f::class_vector<10>, c2f::gunn15_unit, c2f::update::gradual, Activations>;

}  // namespace

int main() {
  using map = c2f::image<240, 32, 32>;
  c2f::keep_memory();
  compare<layer_of<1>::type, map>(1, 3);
  compare<layer_of<5>::type, map>(5, 3);
  compare<layer_of<10>::type, map>(10, 3);
  compare<layer_of<20>::type, map>(20, 3);
  compare<layer_of<30>::type, map>(30, 3);
  compare<gunn15, c2f::image<3, 32, 32>>(0, 3);
}
