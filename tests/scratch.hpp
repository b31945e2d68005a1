// tests/scratch.hpp: a temporary folder that is removed when the test ends, and the bytes of files.
//
//   tests::scratch const dir;                       // dir.path exists and is empty
//   struct folder : tests::scratch { folder() { ... } };      // with something in it
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tests {

struct scratch {
  // In memory if possible, so that tests do not depend on the speed of a disk.
  std::filesystem::path path =
      std::filesystem::path(std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path()) /
      ("c2f_test_" + std::to_string(::getpid()) + "_" + std::to_string(made++));
  scratch() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  scratch(scratch const&)            = delete;
  scratch& operator=(scratch const&) = delete;
  ~scratch() { std::filesystem::remove_all(path); }

 private:
  inline static int made = 0;
};

inline std::vector<std::uint8_t> contents(std::filesystem::path const& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace tests
