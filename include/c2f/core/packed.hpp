// c2f/core/packed.hpp: values as bytes, for processes of one program to exchange.
//
//   c2f::detail::packer to;
//   to(std::int64_t{3}, std::string("fine"), std::vector<double>{0.5});
//   c2f::detail::unpacker from(to.bytes());
//   auto number = from.get<std::int64_t>();                     // in the same order
//
// Numbers, texts, and vectors, pairs, sets and maps of them. Not a file format: the bytes are
// those of this machine. Error: c2f::error if the bytes end too soon.
#pragma once

#include <c2f/core/errors.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace c2f::detail {

template <class T>
concept packed_number = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class packer {
 public:
  template <class... T>
  void operator()(T const&... values) {
    (put(values), ...);
  }
  [[nodiscard]] std::string const& bytes() const { return bytes_; }

 private:
  void put_raw(void const* from, std::size_t count) { bytes_.append(static_cast<char const*>(from), count); }
  template <packed_number T>
  void put(T const& value) {
    put_raw(&value, sizeof value);
  }
  void put(std::string const& text) {
    put(static_cast<std::uint64_t>(text.size()));
    put_raw(text.data(), text.size());
  }
  template <class A, class B>
  void put(std::pair<A, B> const& each) {
    put(each.first), put(each.second);
  }
  template <class T>
    requires requires(T const& all) {
      all.begin();
      all.size();
    }
  void put(T const& all) {
    put(static_cast<std::uint64_t>(all.size()));
    for (auto const& each : all) put(each);
  }

  std::string bytes_;
};

class unpacker {
 public:
  explicit unpacker(std::string_view bytes) : left_(bytes) {}

  template <class T>
  [[nodiscard]] T get() {
    T value{};
    (*this)(value);
    return value;
  }
  template <class... T>
  void operator()(T&... values) {
    (take(values), ...);
  }
  [[nodiscard]] bool empty() const { return left_.empty(); }

 private:
  std::string_view next(std::size_t count) {
    if (count > left_.size()) throw error("another process sent fewer bytes than were expected; start all processes with the same program");
    std::string_view const found = left_.substr(0, count);
    left_.remove_prefix(count);
    return found;
  }
  template <packed_number T>
  void take(T& value) {
    std::memcpy(&value, next(sizeof value).data(), sizeof value);
  }
  void take(std::string& text) { text = next(get<std::uint64_t>()); }
  template <class A, class B>
  void take(std::pair<A, B>& each) {
    take(each.first), take(each.second);
  }
  template <class T>
  void take(std::vector<T>& all) {
    all.clear();
    for (auto count = get<std::uint64_t>(); count > 0; --count) all.push_back(get<T>());
  }
  template <class T>
  void take(std::set<T>& all) {
    all.clear();
    for (auto count = get<std::uint64_t>(); count > 0; --count) all.insert(get<T>());
  }
  template <class K, class V>
  void take(std::map<K, V>& all) {
    all.clear();
    for (auto count = get<std::uint64_t>(); count > 0; --count) all.insert(get<std::pair<K, V>>());
  }

  std::string_view left_;
};

}  // namespace c2f::detail
