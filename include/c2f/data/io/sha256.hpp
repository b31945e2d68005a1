// c2f/data/io/sha256.hpp: SHA-256 (FIPS 180-4) of bytes and of files, by OpenSSL. Link with -lcrypto.
//
//   c2f::data::sha256_of("abc");                // "ba7816bf…", 64 hex digits
//   c2f::data::sha256_of_file(file);
//   c2f::data::sha256 sum;                      // incrementally
//   sum.update(bytes.data(), bytes.size());
//   sum.hex();
//
// Cost: a file is read in blocks of 64 KiB. Error: c2f::input_error for a file that cannot be read.
#pragma once

#include <c2f/core/errors.hpp>

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace c2f::data {

/// An incremental SHA-256.
class sha256 {
 public:
  sha256() : state_(EVP_MD_CTX_new()) {
    if (!state_ || EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
  void update(void const* bytes, std::size_t count) {
    if (EVP_DigestUpdate(state_.get(), bytes, count) != 1) throw error("OpenSSL cannot update a SHA-256 digest");
  }
  /// The digest of all bytes, 64 lower-case hex digits. Call it once; no update may follow.
  [[nodiscard]] std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned int bytes = 0;
    if (EVP_DigestFinal_ex(state_.get(), sum.data(), &bytes) != 1) throw error("OpenSSL cannot finish a SHA-256 digest");
    std::string digits;
    for (unsigned int i = 0; i < bytes; ++i) {
      digits += "0123456789abcdef"[sum[i] >> 4];
      digits += "0123456789abcdef"[sum[i] & 15];
    }
    return digits;
  }

 private:
  struct freed {
    void operator()(EVP_MD_CTX* state) const { EVP_MD_CTX_free(state); }
  };
  std::unique_ptr<EVP_MD_CTX, freed> state_;
};

[[nodiscard]] inline std::string sha256_of(std::string_view bytes) {
  sha256 sum;
  sum.update(bytes.data(), bytes.size());
  return sum.hex();
}

[[nodiscard]] inline std::string sha256_of_file(std::filesystem::path const& path) {
  struct closed {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  errno = 0;
  std::unique_ptr<std::FILE, closed> const file(std::fopen(path.c_str(), "rb"));
  sha256 sum;
  std::vector<unsigned char> piece(std::size_t{1} << 16);
  while (file) {
    std::size_t const read = std::fread(piece.data(), 1, piece.size(), file.get());
    sum.update(piece.data(), read);
    if (read < piece.size()) break;
  }
  if (!file || std::ferror(file.get()) != 0)
    throw input_error("cannot read '" + path.string() + "': " + std::generic_category().message(errno) + "; check the path");
  return sum.hex();
}

}  // namespace c2f::data
