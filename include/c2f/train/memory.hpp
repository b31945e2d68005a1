// c2f/train/memory.hpp: makes glibc keep freed memory between training steps on the CPU.
//
//   c2f::keep_memory();      // the first statement of main
//
// A training step frees what it allocated. By default glibc returns large blocks to the system at once and requests them again in the next
// step: 50,000 page faults and 9 to 15 % of a step of two ResNet-20. keep_memory() changes that for the whole process, so the program must
// call it, in main; c2f never does. The environment variables MALLOC_MMAP_THRESHOLD_=33554432 and MALLOC_TRIM_THRESHOLD_=1073741824 have
// the same effect. Without glibc it does nothing. Cost: up to 1 GiB of freed memory stays with the process.
#pragma once

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace c2f {

/// Raises glibc's thresholds for returning memory to the system.
inline void keep_memory() {
#ifdef M_MMAP_THRESHOLD
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // glibc's maximum
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace c2f
