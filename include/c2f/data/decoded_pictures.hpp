// c2f/data/decoded_pictures.hpp: a cache of decoded pictures: each is decoded on first access and kept while the memory budget lasts.
//
//   auto const budget = std::make_shared<std::atomic<std::int64_t>>(1 << 30);   // bytes left; several caches may share it
//   c2f::data::detail::decoded_pictures pictures(list.size(), budget);
//   auto const bytes = pictures.of(id, [&] { return decode(list[id]); });       // thread-safe
//
// Concurrent requests for one picture decode it once; the other threads wait. A failed decode is not retried: later requests throw the same
// c2f::input_error. Beyond the budget a picture is decoded at each request. Nothing is evicted while this object lives.
//
// Cost: one mutex lock a call.
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

  /// `budget`: bytes that may still be cached.
  decoded_pictures(std::size_t count, std::shared_ptr<std::atomic<std::int64_t>> budget) : budget_(std::move(budget)), entries_(count) {}

  template <class Decode>
  [[nodiscard]] std::shared_ptr<bytes const> of(std::size_t i, Decode const& decode) {
    entry& slot = entries_[i];
    std::lock_guard const lock(slot.mutex);
    if (slot.kept) return slot.kept;
    if (!slot.fault.empty()) throw input_error(slot.fault);
    try {
      auto made       = std::make_shared<bytes const>(decode());
      auto const size = static_cast<std::int64_t>(made->size());
      if (budget_->fetch_sub(size) >= size)
        slot.kept = made;
      else
        budget_->fetch_add(size);
      return made;
    } catch (input_error const& error) {
      slot.fault = error.what();
      throw;
    }
  }

 private:
  struct entry {
    std::mutex mutex;
    std::shared_ptr<bytes const> kept;
    std::string fault;
  };

  std::shared_ptr<std::atomic<std::int64_t>> budget_;
  std::vector<entry> entries_;
};

}  // namespace c2f::data::detail
