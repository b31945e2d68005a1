// tests/catch.hpp: Catch2, version 2 (Debian 12) or 3 (Ubuntu 24.04 and later); test level and data sets from the environment.
//
// Use only the REQUIRE macros: LibTorch has a macro CHECK of its own, which is preserved.
// Level and data come from the environment, so one program serves all levels:
//
//   if (tests::level() < 2) return;                       // slow
//   auto const dir = tests::data("cifar-100-binary");
//   if (!dir) { C2F_SKIP("no CIFAR-100 here; set C2F_DATA"); }
#pragma once

#pragma push_macro("CHECK")
#undef CHECK
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
#pragma pop_macro("CHECK")

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#define C2F_SKIP(reason)         \
  do {                           \
    WARN("skipped: " << reason); \
    return;                      \
  } while (false)

namespace tests {

/// 0 quick, 1 all, 2 also the slow ones: './run test 2', or the environment variable C2F_TEST_LEVEL.
inline int level() {
  char const* const text = std::getenv("C2F_TEST_LEVEL");
  return text && *text ? std::atoi(text) : 1;
}

/// A folder or file of the data sets (environment variable C2F_DATA); nullopt if it does not exist.
inline std::optional<std::filesystem::path> data(std::string const& name) {
  char const* const root = std::getenv("C2F_DATA");
  if (!root || !*root) return std::nullopt;
  auto path = std::filesystem::path(root) / name;
  return std::filesystem::exists(path) ? std::optional(std::move(path)) : std::nullopt;
}

}  // namespace tests
