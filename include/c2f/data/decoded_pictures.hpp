// c2f/data/decoded_pictures.hpp: pictures that are decoded when they are first asked for, and kept while there is room.
//
//   auto const room = std::make_shared<std::atomic<std::int64_t>>(1 << 30);   // bytes, of all sets that share it
//   decoded_pictures pictures(list.size(), room);
//   auto const bytes = pictures.of(id, [&] { return decode(list[id]); });     // from any thread
//
// Several threads may ask for the same picture: one decodes, the others wait. What cannot be decoded is tried once; after that the same
// c2f::input_error is thrown again. Cost: a lock a call; what is kept, as long as this object lives.
#pragma once

#include <c2f/core/errors.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace c2f::data::detail {

class decoded_pictures {
 public:
  using bytes = std::vector<std::uint8_t>;

  /// room: how many bytes may still be kept.
  decoded_pictures(std::size_t count, std::shared_ptr<std::atomic<std::int64_t>> room) : room_(std::move(room)), places_(count) {}

  template <class Decode>
  [[nodiscard]] std::shared_ptr<bytes const> of(std::size_t i, Decode const& decode) {
    place& here = places_[i];
    std::lock_guard const lock(here.mutex);
    if (here.kept) return here.kept;
    if (!here.fault.empty()) throw input_error(here.fault);
    try {
      auto made       = std::make_shared<bytes const>(decode());
      auto const size = static_cast<std::int64_t>(made->size());
      if (room_->fetch_sub(size) >= size)
        here.kept = made;
      else
        room_->fetch_add(size);
      return made;
    } catch (input_error const& error) {
      here.fault = error.what();
      throw;
    }
  }

 private:
  struct place {
    std::mutex mutex;
    std::shared_ptr<bytes const> kept;
    std::string fault;
  };

  std::shared_ptr<std::atomic<std::int64_t>> room_;
  std::vector<place> places_;
};

}  // namespace c2f::data::detail
