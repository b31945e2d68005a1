// c2f/task/task.hpp: the concept of a task.
//
//   struct mine {
//     using input   = c2f::image<3, 32, 32>;                            // required: what the images are
//     using network = c2f::resnet_cifar<20, c2f::class_vector<10>>;     // required: one network, or c2f::coarse_fine<A, B>
//     using schedule = c2f::schedule::ramp<0.5, 98>;                    // optional, as every member of c2f::complete (task/complete.hpp)
//   };
//   static_assert(c2f::task<mine>);
//
// Errors: a wrong task is one compile error that says what is wrong and what to write (task/check.hpp, docs/errors.md).
#pragma once

#include <c2f/task/check.hpp>

namespace c2f {

/// A task. Asking about a wrong one is a compile error with the message that says what is wrong, so
/// `static_assert(c2f::task<mine>);` is the line to write under a task. After the message the answer is true, so that this line is not an
/// error of its own.
template <class T>
concept task = detail::checked<T> || true;

}  // namespace c2f
