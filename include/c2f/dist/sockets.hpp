// c2f/dist/sockets.hpp: the address of a network interface, and a listening socket bound to it.
//
//   c2f::dist::launch const here = c2f::dist::launch_of_environment();
//   auto const own = c2f::dist::detail::address_of_interface("eth1", here);   // "" for the interface that reaches rank 0
//   int const socket = c2f::dist::detail::listen_on(own, here);
//
// Errors: input_error for an interface without an address, an address that does not resolve, a port that is in use, and a listener that does
// not answer in time.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/dist/launch.hpp>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace c2f::dist::detail {

/// An environment variable; empty if it is not set.
inline std::string variable(char const* name) {
  char const* const found = std::getenv(name);
  return found == nullptr ? "" : found;
}
/// A number of seconds in an environment variable.
inline std::chrono::seconds seconds_of(char const* name, int otherwise) {
  std::string const text = variable(name);
  if (text.empty()) return std::chrono::seconds(otherwise);
  int value       = 0;
  auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < 1 || value > 1'000'000)
    throw input_error(std::string(name) + " is '" + text + "'; it must be a number of seconds from 1 to 1000000");
  return std::chrono::seconds(value);
}

/// An address of this machine.
struct local_address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  std::string text{};
};

inline local_address local_address_of(sockaddr const* from, socklen_t size) {
  local_address made;
  std::memcpy(&made.bytes, from, size);
  made.size = size;
  char text[NI_MAXHOST];
  if (::getnameinfo(from, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) made.text = text;
  return made;
}

/// The address of rank 0.
inline local_address resolved(launch const& here) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* all     = nullptr;
  int failed        = ::getaddrinfo(here.address.c_str(), std::to_string(here.port).c_str(), &hints, &all);
  if (failed != 0)
    throw input_error("the address of rank 0, '" + here.address + "', is unknown here (" + ::gai_strerror(failed) +
                      "); set MASTER_ADDR to a name or number that all machines know");
  addrinfo const* chosen = all;
  for (addrinfo const* each = all; each != nullptr; each = each->ai_next)
    if (each->ai_family == AF_INET) {
      chosen = each;
      break;
    }
  local_address made = local_address_of(chosen->ai_addr, chosen->ai_addrlen);
  ::freeaddrinfo(all);
  return made;
}

/// Closes a socket at the end of a scope.
class open_socket {
 public:
  explicit open_socket(int number) : number_(number) {}
  open_socket(open_socket const&)            = delete;
  open_socket& operator=(open_socket const&) = delete;
  ~open_socket() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// The address of a network interface; without a name that of the interface that reaches rank 0.
inline local_address address_of_interface(std::string const& name, launch const& here) {
  if (!name.empty()) {
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) throw input_error("the network interfaces cannot be listed: " + std::generic_category().message(errno));
    local_address found;
    for (ifaddrs const* each = all; each != nullptr; each = each->ifa_next)
      if (each->ifa_addr != nullptr && name == each->ifa_name &&
          (each->ifa_addr->sa_family == AF_INET || (each->ifa_addr->sa_family == AF_INET6 && found.size == 0)))
        found = local_address_of(each->ifa_addr, each->ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    ::freeifaddrs(all);
    if (found.size == 0) throw input_error("there is no network interface '" + name + "' with an address; see 'ip address'");
    return found;
  }
  local_address const first = resolved(here);
  open_socket const probe(::socket(first.bytes.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));  // connecting it sends nothing
  local_address own;
  own.size = sizeof own.bytes;
  if (probe.number() < 0 || ::connect(probe.number(), reinterpret_cast<sockaddr const*>(&first.bytes), first.size) != 0 ||
      ::getsockname(probe.number(), reinterpret_cast<sockaddr*>(&own.bytes), &own.size) != 0)
    throw input_error("no network interface reaches rank 0 at '" + here.address + "': " + std::generic_category().message(errno) +
                      "; check MASTER_ADDR and the network");
  return local_address_of(reinterpret_cast<sockaddr const*>(&own.bytes), own.size);
}

inline void set_port(local_address& of, std::uint16_t port) {
  if (of.bytes.ss_family == AF_INET)
    reinterpret_cast<sockaddr_in*>(&of.bytes)->sin_port = htons(port);
  else
    reinterpret_cast<sockaddr_in6*>(&of.bytes)->sin6_port = htons(port);
}

/// A socket that listens at the port of rank 0 on this address alone.
inline int listen_on(local_address own, launch const& here) {
  set_port(own, here.port);
  open_socket made(::socket(own.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int const on = 1;
  if (made.number() < 0 || ::setsockopt(made.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(made.number(), reinterpret_cast<sockaddr const*>(&own.bytes), own.size) != 0 || ::listen(made.number(), 4096) != 0)
    throw input_error("rank 0 cannot listen at " + own.text + ":" + std::to_string(here.port) + ": " +
                      std::generic_category().message(errno) + "; choose another MASTER_PORT, or end the program that uses it");
  return made.release();
}

/// Waits until something listens at the address of rank 0.
inline void await_listener(launch const& here, std::string const& who, std::chrono::seconds most) {
  auto const until    = std::chrono::steady_clock::now() + most;
  local_address first = resolved(here);
  set_port(first, here.port);
  for (;;) {
    open_socket const probe(::socket(first.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    timeval const second{1, 0};
    ::setsockopt(probe.number(), SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    if (::connect(probe.number(), reinterpret_cast<sockaddr const*>(&first.bytes), first.size) == 0) return;
    int const failed = errno;
    if (std::chrono::steady_clock::now() >= until)
      throw input_error(who + ": nothing answered at " + here.address + ":" + std::to_string(here.port) +
                        ", where rank 0 should listen, for " + std::to_string(most.count()) + " s (" +
                        std::generic_category().message(failed) + "); check that rank 0 runs, MASTER_ADDR, MASTER_PORT and the firewall");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace c2f::dist::detail
