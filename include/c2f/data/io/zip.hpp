// c2f/data/io/zip.hpp: reads the entries of a zip archive into memory.
//
//   c2f::data::zip_archive archive{"/data/omniglot/all_runs.zip"};
//   archive.names();                                              // all entries, in order
//   std::vector<std::uint8_t> png = archive.read("run01/test/item01.png");
//
// Nothing is extracted to disk. An entry's integrity is checked by its CRC-32.
//
// Costs: the list of entries, and an entry while it is read. The declared size of an entry is checked before memory is allocated: at most
// 64 MiB, or four times the archive's size if that is more. The sum of all declared sizes is limited to what the archive could hold at
// deflate's maximum ratio, which limits the time of reading everything. Needs libzip. Not thread-safe.
// Errors: input_error with archive, entry and reason: not a zip, or a truncated one; a name that leads outside the archive's folder, has
// control characters or occurs twice; overlapping entries; a missing entry, or one that is encrypted, compressed by a method other than
// deflate, too large or damaged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <zip.h>

#include <c2f/core/errors.hpp>
#include <c2f/data/io/names.hpp>

namespace c2f::data {

/// A zip archive, opened for reading.
class zip_archive {
 public:
  explicit zip_archive(std::filesystem::path const& path) : name_(path.string()) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed)) throw input_error("no file '" + name_ + "'; check its name and folder");
    size_ = std::filesystem::file_size(path, failed);
    if (failed) throw input_error("cannot read '" + name_ + "': " + failed.message() + "; make it readable");
    open([&](zip_error_t* error) { return zip_source_file_create(path.c_str(), 0, -1, error); });
  }
  /// From memory that must outlive this object; `name` is used in messages.
  zip_archive(std::span<std::uint8_t const> bytes, std::string name) : name_(std::move(name)), size_(bytes.size()) {
    open([&](zip_error_t* error) { return zip_source_buffer_create(bytes.data(), bytes.size(), 0, error); });
  }

  /// The names of all entries, in the archive's order; those of folders end with '/'.
  [[nodiscard]] std::vector<std::string> const& names() const { return names_; }
  [[nodiscard]] bool has(std::string const& entry) const { return index_.contains(entry); }
  [[nodiscard]] std::string const& name() const { return name_; }

  /// The bytes of an entry.
  [[nodiscard]] std::vector<std::uint8_t> read(std::string const& entry) const {
    auto const found = index_.find(entry);
    if (found == index_.end())
      throw input_error("'" + name_ + "' has no entry '" + printable(entry) + "'; check that it is the right archive");
    zip_stat_t about;
    if (zip_stat_index(archive_.get(), found->second, 0, &about) != 0) damaged(entry, zip_get_error(archive_.get()));
    if (about.valid & ZIP_STAT_ENCRYPTION_METHOD && about.encryption_method != ZIP_EM_NONE) damaged(entry, "it is encrypted");
    // Other methods allocate as much memory as their headers demand.
    if (!(about.valid & ZIP_STAT_COMP_METHOD) || (about.comp_method != ZIP_CM_STORE && about.comp_method != ZIP_CM_DEFLATE))
      damaged(entry, "it is packed by method " + std::to_string(about.comp_method) + " and not by 8, deflate");
    if (!(about.valid & ZIP_STAT_SIZE) || about.size > most())
      damaged(entry, "it declares " + std::to_string(about.size) + " bytes, more than the " + std::to_string(most()) + " that are read");

    std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> const file(zip_fopen_index(archive_.get(), found->second, 0), &zip_fclose);
    if (!file) damaged(entry, zip_get_error(archive_.get()));
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(about.size));
    std::size_t at = 0;
    while (true) {
      // libzip compares the checksum in the read that reaches the end, which returns 0 bytes.
      std::uint8_t beyond;
      bool const full      = at == bytes.size();
      std::int64_t const n = zip_fread(file.get(), full ? &beyond : bytes.data() + at, full ? 1 : bytes.size() - at);
      if (n < 0) damaged(entry, zip_file_get_error(file.get()));
      if (n == 0) break;
      if (full) damaged(entry, "it has more bytes than it declares");
      at += static_cast<std::size_t>(n);
    }
    if (at < bytes.size()) damaged(entry, "it ends at byte " + std::to_string(at) + " of " + std::to_string(bytes.size()));
    return bytes;
  }

 private:
  static constexpr std::size_t longest = 200;  // length limit of a name in a message

  // The largest size of an entry in bytes.
  [[nodiscard]] std::uint64_t most() const { return std::max(std::uint64_t{1} << 26, 4 * size_); }
  static bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }
  static std::string printable(std::string_view text) { return detail::printable(text, longest); }
  [[noreturn]] void damaged(std::string const& entry, std::string const& why) const {
    throw input_error("'" + name_ + "', entry '" + printable(entry) + "': " + why + "; download or pack the archive again");
  }
  [[noreturn]] void damaged(std::string const& entry, zip_error_t* error) const { damaged(entry, std::string(zip_error_strerror(error))); }

  template <class MakeSource>
  void open(MakeSource const& make_source) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* const source = make_source(&error);
    if (source != nullptr) archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
    if (source != nullptr && !archive_) zip_source_free(source);
    std::string const why = archive_ ? "it is empty" : zip_error_strerror(&error);
    zip_error_fini(&error);
    if (!archive_ || size_ == 0)  // libzip accepts an empty file as an archive without entries
      throw input_error("'" + name_ + "' is not a whole zip archive: " + why + "; download or pack it again");
    list();
  }

  void list() {
    std::uint64_t declared = 0;
    for (std::int64_t i = 0, n = zip_get_num_entries(archive_.get(), 0); i < n; ++i) {
      char const* const entry = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
      if (entry == nullptr) damaged("number " + std::to_string(i), zip_get_error(archive_.get()));
      names_.emplace_back(entry);
      if (std::any_of(names_.back().begin(), names_.back().end(), is_control)) damaged(names_.back(), "its name has control characters");
      if (detail::leads_out(names_.back()) || names_.back().find_first_of("\\:") != std::string::npos)
        damaged(names_.back(), "its name leads out of the archive");
      if (!index_.emplace(names_.back(), static_cast<zip_uint64_t>(i)).second) damaged(names_.back(), "there are two of this name");
      // Deflate expands a byte to at most 1,032. Overlapping entries (a zip bomb) exceed that many times.
      zip_stat_t about;
      bool const known = zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), 0, &about) == 0 && about.valid & ZIP_STAT_SIZE;
      if (known && about.size <= most()) declared += about.size;
      if (declared > 1032 * size_) damaged(names_.back(), "so small an archive cannot hold what its entries declare up to here");
    }
  }

  std::string name_;
  std::uint64_t size_ = 0;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_{nullptr, &zip_discard};
  std::vector<std::string> names_;
  std::map<std::string, zip_uint64_t> index_;
};

}  // namespace c2f::data
