// What stands for a GPU's recording where there is none: the work is called again. In recorded work the host's numbers are not numbers and
// its random choices are refused, so what a recording would have frozen shows. (Norms count their calls on the host; here they count
// them once more with every repeat.)
#pragma once

#include <c2f/core/accelerator.hpp>

namespace tests {

inline int recordings = 0, repeats = 0;

struct called_again : c2f::recorded_work {
  std::function<void()> work;
  void repeat() override {
    ++repeats;
    work();
  }
};
inline std::unique_ptr<c2f::recorded_work> call_again(std::function<void()> const& work) {
  ++recordings;
  auto again  = std::make_unique<called_again>();
  again->work = work;
  return again;
}

}  // namespace tests
