// tests/refusal.hpp: the message of the error that a call throws.
//
//   tests::require_message(tests::refusal([&] { read_nifti<float>(path); }), {"voxel (0, 1, 1)"});
#pragma once

#include <c2f/core/errors.hpp>

#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tests {

/// The message of the call's error, one line; empty if it throws none.
template <class Error = c2f::input_error>
std::string refusal(std::function<void()> const& call) {
  try {
    call();
  } catch (Error const& error) {
    std::string const message = error.what();
    REQUIRE(!message.empty());
    REQUIRE(message.find('\n') == std::string::npos);
    return message;
  }
  return "";
}

inline bool has(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

/// Requires a message of one line that contains all of these.
inline void require_message(std::string const& message, std::vector<std::string> const& parts) {
  CAPTURE(message);
  REQUIRE(!message.empty());
  REQUIRE(message.find('\n') == std::string::npos);
  for (auto const& part : parts) {
    CAPTURE(part);
    REQUIRE(has(message, part));
  }
}

}  // namespace tests
