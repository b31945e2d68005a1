// expect-error: the task's source does not serve this kind
// expect-error: got<always_the_truth>
// A custom source is called with the prediction, the truth and the pass.
#include <c2f/c2f.hpp>

struct always_the_truth {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
#ifdef CORRECTED
    at::Tensor operator()(at::Tensor const&, at::Tensor const& truth, c2f::pass&) const { return truth; }
#else
    at::Tensor operator()(at::Tensor const&, at::Tensor const& truth) const { return truth; }
#endif
  };
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using source  = always_the_truth;
};
static_assert(c2f::task<mine>);
