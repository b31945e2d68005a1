// c2f/data/io/zip.hpp: the files in a zip, read into memory.
//
//   c2f::data::zip_archive archive{"/data/omniglot/all_runs.zip"};
//   archive.names();                                              // all entries, in order
//   std::vector<std::uint8_t> png = archive.read("run01/test/item01.png");
//
// Nothing is ever written: an entry is bytes, and its name only a name. Whether an entry is whole is told by its CRC-32.
//
// Costs: the list of entries, and an entry while it is read. What an entry says of its size is judged before there is memory for it: it
// may be 64 MiB, or four times the archive where that is more; and all together may not be more than the archive could ever hold, so that
// reading everything takes no longer than that. Needs libzip. Not to be used by two threads at a time.
// Errors: input_error of one line with archive, entry and reason: no zip, or one that is cut off; a name that leads out of the archive, has
// control characters or is there twice; entries that share bytes; no such entry, one that is encrypted, packed otherwise than by deflate,
// too large, damaged.
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

namespace c2f::data {

/// A zip that is read.
class zip_archive {
 public:
  explicit zip_archive(std::filesystem::path const& path) : name_(path.string()) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed)) throw input_error("no file '" + name_ + "'; check its name and folder");
    size_ = std::filesystem::file_size(path, failed);
    if (failed) throw input_error("cannot read '" + name_ + "': " + failed.message() + "; make it readable");
    open([&](zip_error_t* error) { return zip_source_file_create(path.c_str(), 0, -1, error); });
  }
  /// From memory that outlives this; `name` is for messages.
  zip_archive(std::span<std::uint8_t const> bytes, std::string name) : name_(std::move(name)), size_(bytes.size()) {
    open([&](zip_error_t* error) { return zip_source_buffer_create(bytes.data(), bytes.size(), 0, error); });
  }

  /// All entries, in the order of the archive; folders have a name that ends with '/'.
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
    // Others take memory that their headers name.
    if (!(about.valid & ZIP_STAT_COMP_METHOD) || (about.comp_method != ZIP_CM_STORE && about.comp_method != ZIP_CM_DEFLATE))
      damaged(entry, "it is packed by method " + std::to_string(about.comp_method) + " and not by 8, deflate");
    if (!(about.valid & ZIP_STAT_SIZE) || about.size > most())
      damaged(entry,
              "it says that it has " + std::to_string(about.size) + " bytes, more than the " + std::to_string(most()) + " that are read");

    std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> const file(zip_fopen_index(archive_.get(), found->second, 0), &zip_fclose);
    if (!file) damaged(entry, zip_get_error(archive_.get()));
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(about.size));
    std::size_t at = 0;
    while (true) {
      // The end, where the checksum is compared, is reached by a read that finds nothing.
      std::uint8_t beyond;
      bool const full      = at == bytes.size();
      std::int64_t const n = zip_fread(file.get(), full ? &beyond : bytes.data() + at, full ? 1 : bytes.size() - at);
      if (n < 0) damaged(entry, zip_file_get_error(file.get()));
      if (n == 0) break;
      if (full) damaged(entry, "it has more bytes than it says");
      at += static_cast<std::size_t>(n);
    }
    if (at < bytes.size()) damaged(entry, "it ends at byte " + std::to_string(at) + " of " + std::to_string(bytes.size()));
    return bytes;
  }

 private:
  static constexpr std::size_t longest = 200;  // of a name in a message

  // What an entry may have.
  [[nodiscard]] std::uint64_t most() const { return std::max(std::uint64_t{1} << 26, 4 * size_); }
  static bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }
  // A name of a file, fit for one line.
  static std::string printable(std::string_view text) {
    std::string word(text.substr(0, longest));
    std::replace_if(word.begin(), word.end(), is_control, '?');
    return word;
  }
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
    if (!archive_ || size_ == 0)  // libzip takes no bytes for an archive of no entries
      throw input_error("'" + name_ + "' is not a whole zip archive: " + why + "; download or pack it again");
    list();
  }

  void list() {
    std::uint64_t promised = 0;
    for (std::int64_t i = 0, n = zip_get_num_entries(archive_.get(), 0); i < n; ++i) {
      char const* const entry = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
      if (entry == nullptr) damaged("number " + std::to_string(i), zip_get_error(archive_.get()));
      names_.emplace_back(entry);
      if (std::any_of(names_.back().begin(), names_.back().end(), is_control)) damaged(names_.back(), "its name has control characters");
      if (leads_out(names_.back())) damaged(names_.back(), "its name leads out of the archive");
      if (!index_.emplace(names_.back(), static_cast<zip_uint64_t>(i)).second) damaged(names_.back(), "there are two of this name");
      // Deflate makes at most 1,032 bytes of one. Entries that lie one over the other (a bomb) are many times that.
      zip_stat_t about;
      bool const told = zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), 0, &about) == 0 && about.valid & ZIP_STAT_SIZE;
      if (told && about.size <= most()) promised += about.size;
      if (promised > 1032 * size_) damaged(names_.back(), "so small an archive cannot hold what its entries promise up to here");
    }
  }

  static bool leads_out(std::string_view entry) {
    if (entry.empty() || entry.front() == '/' || entry.find_first_of("\\:") != std::string_view::npos) return true;
    for (std::size_t at = 0; at <= entry.size();) {
      std::size_t const end = std::min(entry.find('/', at), entry.size());
      if (entry.substr(at, end - at) == "..") return true;
      at = end + 1;
    }
    return false;
  }

  std::string name_;
  std::uint64_t size_ = 0;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_{nullptr, &zip_discard};
  std::vector<std::string> names_;
  std::map<std::string, zip_uint64_t> index_;
};

}  // namespace c2f::data
