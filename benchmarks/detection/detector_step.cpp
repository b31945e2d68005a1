// What a training step of a detector costs besides its networks: processor seconds of forward and backward passes of one picture of 400 x 600 pixels
// with twelve objects, against the backbone, the heads of proposals and a stage on given boxes, run as plain calls. Alternating, the median of pairs.
//   detector_step [PAIRS]
#include <c2f/c2f.hpp>
#include <c2f/systems/detectors.hpp>

#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using kind  = c2f::detections<3, 20>;
using image = c2f::image<3, 400, 600>;
using model = c2f::systems::small_detector<kind, image, c2f::systems::faster_rcnn>;

double seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto const of = [](timeval const& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return of(used.ru_utime) + of(used.ru_stime);
}

}  // namespace

int main(int count, char** words) {
  int const pairs = count > 1 ? std::atoi(words[1]) : 15;
  model net(1);
  c2f::to_channels_last(net);
  at::Tensor const images = at::randn({1, 3, 400, 600}).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor truth        = at::zeros({1, 20, 7});
  at::Tensor const some   = truth.narrow(1, 0, 12);
  some.select(2, 0).copy_(at::rand({1, 12}).mul(3).floor());
  some.narrow(2, 1, 2).copy_(at::rand({1, 12, 2}).mul(.6).add(.2));
  some.narrow(2, 3, 2).copy_(at::rand({1, 12, 2}).mul(.2).add(.1));
  some.select(2, 6).fill_(1);
  at::Tensor const corner = at::rand({1, 64, 2}).mul(300), boxes = at::cat({corner, corner.add(60)}, 2);
  at::Tensor const valid = at::ones({1, 64}, at::TensorOptions(at::kBool));

  auto const whole = [&] {
    c2f::pass p{.mode = c2f::train, .truth = truth};
    net(images, p);
    p.loss().backward();
  };
  auto const plain = [&] {
    auto const maps = net.backbone(images, c2f::train);
    at::Tensor sum;
    auto const add = [&](at::Tensor const& x) { sum = sum.defined() ? sum.add(x.sum()) : x.sum(); };
    for (auto const& map : maps) {
      at::Tensor const hidden = net.rpn.head.conv(map, c2f::train);
      add(net.rpn.head.cls_logits(hidden, c2f::train));
      add(net.rpn.head.bbox_pred(hidden, c2f::train));
    }
    auto const found =
        net.stages[0](c2f::detection::pooled({maps.begin(), maps.end()}, boxes, valid, {.side = 5}), 1, at::kFloat, c2f::train);
    add(found.logits);
    add(found.deltas);
    sum.backward();
  };
  auto const timed = [&](auto const& run) {
    for (auto const& each : c2f::parameters(net)) each.mutable_grad().reset();
    double const before = seconds();
    run();
    return seconds() - before;
  };
  whole();
  plain();
  std::vector<double> ratios, all;
  for (int i = 0; i < pairs; ++i) {
    double const of_plain = timed(plain), of_whole = timed(whole);
    ratios.push_back(of_whole / of_plain);
    all.push_back(of_whole);
  }
  std::sort(ratios.begin(), ratios.end());
  std::sort(all.begin(), all.end());
  auto const middle = static_cast<std::size_t>(pairs / 2);
  std::printf("a step %.1f ms, %.3f of its networks alone\n", 1e3 * all[middle], ratios[middle]);
}
