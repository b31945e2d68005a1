// c2f/core/progress.hpp: the progress of a training.
//
//   c2f::progress now{.epoch = 3, .iteration = 1173, .fraction = 0.3};
//   double t = c2f::t_at<c2f::schedule::ramp<0.5, 98>>(now);          // parts/schedule.hpp
//   double lr = recipe.learning_rate_at(now);                         // train/recipe.hpp
#pragma once

#include <cstdint>

namespace c2f {

/// How much of the training is done, in each unit of a schedule.
struct progress {
  std::int64_t epoch     = 0;  ///< whole epochs done
  std::int64_t iteration = 0;  ///< steps done
  double fraction        = 0;  ///< steps done / all steps, in [0, 1]
};

}  // namespace c2f
