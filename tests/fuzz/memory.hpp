// tests/fuzz/memory.hpp: a limit on the memory of a reader, measured with AddressSanitizer; without it there is no limit.
//
//   limit_memory const limit(size);      // until the end of the block: abort above max(64 MiB, 4 * size)
//   limit_memory const less(size, most); // the same with another number in place of 64 MiB
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#ifdef __has_feature  // clang; g++ defines the macro itself
#if __has_feature(address_sanitizer)
#define C2F_WATCHED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define C2F_WATCHED 1
#endif

#ifdef C2F_WATCHED
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(void const volatile*, std::size_t), void (*)(void const volatile*));
extern "C" std::size_t __sanitizer_get_allocated_size(void const volatile*);
#endif

class limit_memory {
 public:
  explicit limit_memory(std::size_t file, std::int64_t least = std::int64_t{1} << 26) {
#ifdef C2F_WATCHED
    static int const installed = __sanitizer_install_malloc_and_free_hooks(&taken, &given);
    if (installed == 0) std::abort();
#endif
    held = 0;
    most = std::max(least, 4 * static_cast<std::int64_t>(file));
  }
  limit_memory(limit_memory const&)            = delete;
  limit_memory& operator=(limit_memory const&) = delete;
  ~limit_memory() { most = -1; }

 private:
  static inline std::int64_t held = 0, most = -1;  // most = -1: no limit

#ifdef C2F_WATCHED
  static void taken(void const volatile*, std::size_t size) {
    if (most < 0 || (held += static_cast<std::int64_t>(size)) <= most) return;
    most = -1;  // std::abort may allocate
    std::abort();
  }
  static void given(void const volatile* pointer) {
    if (most >= 0 && pointer != nullptr) held -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(pointer));
  }
#endif
};
