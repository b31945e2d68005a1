// expect-error: the task's combine cannot combine the coarse and the fine output
// expect-error: got<sum>
// A custom combine returns two tensors: the stack's output and the input of the fine loss.
#include <c2f/c2f.hpp>

struct sum {
  template <c2f::output_kind Kind, c2f::shape Features>
  struct on {
    C2F_MEMBERS();
#ifdef CORRECTED
    c2f::combined operator()(at::Tensor const&, at::Tensor const& coarse, at::Tensor const& fine, c2f::pass&) const {
      return {coarse.add(fine), fine};
    }
#else
    at::Tensor operator()(at::Tensor const&, at::Tensor const& coarse, at::Tensor const& fine, c2f::pass&) const {
      return coarse.add(fine);
    }
#endif
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using combine = sum;
};
static_assert(c2f::task<mine>);
