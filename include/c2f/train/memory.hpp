// c2f/train/memory.hpp: keeps memory between steps on the CPU.
//
//   int main() { c2f::keep_memory(); … }
//
// A training step frees what it allocated, and glibc hands large pieces back to the system at once, only to ask for them again in the
// next step: 50,000 page faults and 9 to 15 % of a step of two ResNet-20. keep_memory asks it to keep them, which is a setting of the
// whole process, so a library must not make it behind your back: call it in main. The environment variables
// MALLOC_MMAP_THRESHOLD_=33554432 and MALLOC_TRIM_THRESHOLD_=1073741824 do the same for any program. Without glibc it does nothing.
#pragma once

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace c2f {

inline void keep_memory() {
#ifdef M_MMAP_THRESHOLD
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace c2f
