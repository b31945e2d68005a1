// The cache of decoded pictures: each is decoded once, kept while there is room, and reports the same error each time.
#include <c2f/data/decoded_pictures.hpp>

#include <thread>

#include "catch.hpp"
#include "refusal.hpp"

using c2f::data::detail::decoded_pictures;

namespace {

auto room_of(std::int64_t bytes) { return std::make_shared<std::atomic<std::int64_t>>(bytes); }

}  // namespace

TEST_CASE("a decoded picture is kept while there is room; data sets share the limit") {
  auto const room = room_of(250);
  decoded_pictures first(3, room), second(1, room);
  int decoded      = 0;
  auto const asked = [&](decoded_pictures& of, std::size_t i) {
    return *of.of(i, [&] { return ++decoded, decoded_pictures::bytes(100, static_cast<std::uint8_t>(i)); });
  };
  for (int again = 0; again < 2; ++again) {
    REQUIRE(asked(first, 2) == decoded_pictures::bytes(100, 2));
    REQUIRE(asked(second, 0) == decoded_pictures::bytes(100, 0));
  }
  REQUIRE(decoded == 2);
  REQUIRE(*room == 50);
  for (int again = 0; again < 3; ++again) REQUIRE(asked(first, 1) == decoded_pictures::bytes(100, 1));
  REQUIRE(decoded == 5);
  REQUIRE(*room == 50);
}

TEST_CASE("a picture that cannot be decoded is tried once and refused with the same message") {
  decoded_pictures pictures(1, room_of(1000));
  int tried      = 0;
  auto const ask = [&] {
    (void)pictures.of(0, [&]() -> decoded_pictures::bytes { throw c2f::input_error("no picture " + std::to_string(++tried)); });
  };
  for (int again = 0; again < 3; ++again) REQUIRE(tests::refusal(ask) == "no picture 1");
}

TEST_CASE("several threads that request one picture share one decoding") {
  decoded_pictures pictures(1, room_of(1000));
  std::atomic<int> decoded = 0;
  std::vector<std::shared_ptr<decoded_pictures::bytes const>> got(8);
  {
    std::vector<std::jthread> threads;
    for (auto& each : got)
      threads.emplace_back([&] {
        each = pictures.of(0, [&] {
          ++decoded;
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          return decoded_pictures::bytes(10, 7);
        });
      });
  }
  REQUIRE(decoded == 1);
  for (auto const& each : got) REQUIRE(each == got[0]);
}
