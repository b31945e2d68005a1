// expect-error: c2f::refine::until compares predictions, but the kind does not say how
// expect-error: wanted<tones
#include <c2f/c2f.hpp>

struct tones : c2f::class_vector<4> {  // several at once
#ifndef CORRECTED
  static at::Tensor agreement(at::Tensor const&, at::Tensor const&) = delete;
#endif
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, tones>;
  using refine  = c2f::refine::until<0.95, 10>;
};
static_assert(c2f::task<mine>);
