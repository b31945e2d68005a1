// c2f/task/task.hpp: the concept of a task.
//
//   struct mine {
//     using input   = c2f::image<3, 32, 32>;                            // required: the shape of the images
//     using network = c2f::resnet_cifar<20, c2f::class_vector<10>>;     // required: one network, or c2f::coarse_fine<A, B>
//     using schedule = c2f::schedule::ramp<0.5, 98>;                    // optional, as every member of c2f::complete (task/complete.hpp)
//   };
//   static_assert(c2f::task<mine>);
//
// Errors: an invalid task is one compile error that says what is wrong and what to write (task/check.hpp, docs/errors.md).
#pragma once

#include <c2f/task/check.hpp>

namespace c2f {

/// A task. Write `static_assert(c2f::task<mine>);` below a task: an invalid one is a compile error that says what is wrong. The concept is
/// true even then, so that the static_assert does not fail as well.
template <class T>
concept task = detail::checked<T> || true;

}  // namespace c2f
