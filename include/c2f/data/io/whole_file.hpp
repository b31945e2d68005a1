// c2f/data/io/whole_file.hpp: atomic file writing: the file is complete or absent.
//
//   c2f::data::whole_file out(file);
//   out.write(bytes.data(), bytes.size());      // any number of times
//   out.commit();                               // from here on the file is durable
//
// The bytes go to a temporary file in the same folder. commit() flushes it to disk (fsync), renames it, and flushes the folder's entry: a
// reader of `path` sees either the old file or the complete new one. Without commit() the temporary file is removed and nothing has
// changed. A new file gets the usual mode (0666 minus the umask); a replacement keeps the old file's mode. A symbolic link is replaced, not
// followed. Not thread-safe.
//
// Cost: each write is a system call, without a buffer; the two fsync take as long as the disk needs.
// Errors: a failing call is a c2f::input_error with path, call and reason.
#pragma once

#include <c2f/core/errors.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace c2f::data {

namespace detail {

[[noreturn]] inline void fail_to_write(std::filesystem::path const& path, char const* call, int reason) {
  throw input_error("cannot write '" + path.string() + "': " + call + ": " + std::generic_category().message(reason) +
                    "; choose a folder that can be written and has room");
}

/// Owns a file descriptor.
class descriptor {
 public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(descriptor const&)            = delete;
  descriptor& operator=(descriptor const&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }
  void reset(int number) {
    if (number_ >= 0) ::close(number_);
    number_ = number;
  }
  /// False, with errno, if written data could not be kept. (After EINTR Linux has closed the descriptor anyway.)
  [[nodiscard]] bool close() {
    int const closing = number_;
    number_           = -1;
    return ::close(closing) == 0 || errno == EINTR;
  }

 private:
  int number_;
};

}  // namespace detail

/// Flushes a folder's entries (created, renamed or removed files) to disk.
inline void sync_folder(std::filesystem::path const& folder) {
  detail::descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number() < 0) detail::fail_to_write(folder, "open", errno);
  // EINVAL: the file system cannot sync folders.
  if (::fsync(opened.number()) != 0 && errno != EINVAL) detail::fail_to_write(folder, "fsync", errno);
}

/// Writes one file atomically.
class whole_file {
 public:
  explicit whole_file(std::filesystem::path path) : path_(std::move(path)), out_(create()) {}
  whole_file(whole_file const&)            = delete;
  whole_file& operator=(whole_file const&) = delete;
  ~whole_file() {
    if (!committed_) ::unlink(part_.c_str());
  }

  void write(void const* bytes, std::size_t count) {
    auto const* at = static_cast<char const*>(bytes);
    while (count > 0) {
      ::ssize_t const written = ::write(out_.number(), at, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("write", written < 0 ? errno : EIO);
      at += written;
      count -= static_cast<std::size_t>(written);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Of the temporary file, for libraries that write to a descriptor.
  [[nodiscard]] int descriptor() const { return out_.number(); }

  /// Flushes the file to disk and renames it. Nothing may be written afterwards. To commit several files of one folder, pass `false` and
  /// call c2f::data::sync_folder once.
  void commit(bool sync_its_folder = true) {
    if (::fsync(out_.number()) != 0) fail("fsync", errno);
    if (!out_.close()) fail("close", errno);
    if (std::rename(part_.c_str(), path_.c_str()) != 0) fail("rename", errno);
    committed_ = true;
    if (sync_its_folder) sync_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
  }

 private:
  [[noreturn]] void fail(char const* call, int reason) const { detail::fail_to_write(path_, call, reason); }

  int create() {
    struct ::stat old{};
    bool const replaces = ::stat(path_.c_str(), &old) == 0;
    if (replaces && !S_ISREG(old.st_mode))
      throw input_error("cannot write '" + path_.string() + "': it exists and is not a regular file; choose another name");
    // Unique within the process by the count, and among processes by the process id; an existing file of a dead process is skipped.
    static std::atomic<unsigned> count{0};
    int made = -1;
    do {
      part_ = path_;
      part_ += ".part" + std::to_string(::getpid()) + "-" + std::to_string(++count);
      made = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (made < 0 && (errno == EEXIST || errno == EINTR));
    if (made < 0) fail("open", errno);
    if (replaces && ::fchmod(made, old.st_mode & 07777) != 0) {
      int const reason = errno;
      ::close(made);
      ::unlink(part_.c_str());
      fail("fchmod", reason);
    }
    return made;
  }

  std::filesystem::path path_, part_;
  detail::descriptor out_;
  bool committed_ = false;
};

}  // namespace c2f::data
