// expect-error: two tasks in a c2f::registry have the same name
// expect-error: in_task<bl>, c2f::in_task<pt>
// A derived task inherits the name, too.
#include <c2f/c2f.hpp>

struct bl {
  static constexpr char const* name = "bl";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using refine                      = c2f::refine::no_fine_network;
};
struct pt : bl {
#ifdef CORRECTED
  static constexpr char const* name = "pt";
#endif
  using refine = c2f::refine::once;
};
using variants = c2f::registry<bl, pt>;

int main(int, char** arguments) {
  variants::with(arguments[1], []<class Task>(c2f::chosen<Task>) { c2f::stack<Task> model; });
}
