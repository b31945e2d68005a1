// expect-error: a task's name is a text
// Without a pointer the task would be called "unnamed" in logs and checkpoints.
#include <c2f/c2f.hpp>

#include <string_view>

struct mine {
#ifdef CORRECTED
  static constexpr char const* name = "mine";
#else
  static constexpr std::string_view name = "mine";
#endif
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
static_assert(c2f::task<mine>);
