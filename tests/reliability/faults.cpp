// Saves a checkpoint while system calls fail: each call in turn, in each way. After every failure the program is alive, a checkpoint
// loads, and the training resumed from it ends with the same bytes as an undisturbed one.
//
//   faults [FOLDER]        exit code 0 if all of that holds; prints the number of cases
//
// The program defines functions of the same names, which take precedence over those of the C library: open, write, fsync, close, fchmod,
// mkdir, rename, unlink and rmdir on paths below FOLDER.
#include <c2f/train/checkpoint.hpp>

#include <reliability/tiny.hpp>

#include <dlfcn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace faults {

enum class kind { none, enospc, eio, interrupted, half, full, crash };
kind armed = kind::none;
int at = 0, seen = 0;         // the call that fails, and the number of calls so far
char const* below = nullptr;  // only paths that contain this
bool ours[4096]{};            // their file descriptors

template <class F>
F real(char const* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}
bool counts(char const* path) { return armed != kind::none && below != nullptr && path != nullptr && std::strstr(path, below) != nullptr; }
bool counts(int descriptor) { return armed != kind::none && descriptor >= 0 && descriptor < 4096 && ours[descriptor]; }

/// Whether this call fails; sets errno.
bool fails() {
  ++seen;
  bool const now = armed == kind::full ? seen >= at : seen == at;
  if (!now) return false;
  if (armed == kind::crash) ::_exit(9);
  if (armed == kind::half) return false;  // handled in write
  errno = armed == kind::eio ? EIO : armed == kind::interrupted ? EINTR : ENOSPC;
  return true;
}

}  // namespace faults

extern "C" {

int open(char const* path, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  int const mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
  va_end(more);
  static auto const real = faults::real<int (*)(char const*, int, ...)>("open");
  bool const counts      = faults::counts(path);
  if (counts && faults::fails()) return -1;
  int const made = real(path, flags, mode);
  if (made >= 0 && made < 4096) faults::ours[made] = counts;
  return made;
}
int open64(char const* path, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  int const mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
  va_end(more);
  return open(path, flags, mode);
}
ssize_t write(int descriptor, void const* bytes, size_t count) {
  static auto const real = faults::real<ssize_t (*)(int, void const*, size_t)>("write");
  if (!faults::counts(descriptor)) return real(descriptor, bytes, count);
  if (faults::fails()) return -1;
  bool const half = faults::armed == faults::kind::half && faults::seen == faults::at;
  return real(descriptor, bytes, half ? (count + 1) / 2 : count);
}
int fsync(int descriptor) {
  static auto const real = faults::real<int (*)(int)>("fsync");
  return faults::counts(descriptor) && faults::fails() ? -1 : real(descriptor);
}
int close(int descriptor) {
  static auto const real = faults::real<int (*)(int)>("close");
  bool const fails       = faults::counts(descriptor) && faults::fails();
  int const reason       = errno;
  if (descriptor >= 0 && descriptor < 4096) faults::ours[descriptor] = false;
  int const closed = real(descriptor);  // Linux closes the descriptor even if close fails
  if (fails) errno = reason;
  return fails ? -1 : closed;
}
int fchmod(int descriptor, mode_t mode) {
  static auto const real = faults::real<int (*)(int, mode_t)>("fchmod");
  return faults::counts(descriptor) && faults::fails() ? -1 : real(descriptor, mode);
}
int mkdir(char const* path, mode_t mode) {
  static auto const real = faults::real<int (*)(char const*, mode_t)>("mkdir");
  return faults::counts(path) && faults::fails() ? -1 : real(path, mode);
}
int rename(char const* from, char const* to) {
  static auto const real = faults::real<int (*)(char const*, char const*)>("rename");
  return faults::counts(to) && faults::fails() ? -1 : real(from, to);
}
int unlink(char const* path) {
  static auto const real = faults::real<int (*)(char const*)>("unlink");
  return faults::counts(path) && faults::fails() ? -1 : real(path);
}
int rmdir(char const* path) {
  static auto const real = faults::real<int (*)(char const*)>("rmdir");
  return faults::counts(path) && faults::fails() ? -1 : real(path);
}
}

namespace {

namespace fs = std::filesystem;
using task   = tiny::class_vector;
using faults::kind;

/// Restores from the newest checkpoint, and writes none.
struct only_reads {
  c2f::checkpoints& kept;
  bool found = false;
  bool restore(c2f::training_state& state) { return found = kept.restore(state); }
  void keep(c2f::training_state const&, c2f::moment) {}
};

c2f::recipe::settings recipe() { return tiny::recipe().threads(0); }
template <class... Observers>
void train(Observers&&... observers) {
  c2f::stack<task> model(7);
  c2f::fit(model, tiny::data_of<task>(), recipe(), observers...);
}

/// One more step and its checkpoint, which replaces an older one.
void save_one_more(fs::path const& folder) {
  train(c2f::checkpoints(folder, {.every = 1, .last = 1, .warn = [](auto const&) {}}), tiny::stops{.at = 5});
}

struct tally {
  int cases = 0, refused = 0, survived = 0;
};

}  // namespace

int main(int count, char** words) {
  fs::path const root = fs::path(count > 1                      ? words[1]
                                 : fs::is_directory("/dev/shm") ? "/dev/shm"
                                                                : fs::temp_directory_path()) /
                        ("c2f_faults_" + std::to_string(::getpid()));
  fs::path const begun = root / "begun", folder = root / "kept";
  fs::remove_all(root);
  tiny::spy whole;
  train(whole);
  train(c2f::checkpoints(begun, {.every = 1, .last = 2}), tiny::stops{.at = 4});
  std::string const kept_below = folder.string();

  int wrong         = 0;
  auto const expect = [&](bool held, char const* what, char const* way) {
    if (held) return;
    ++wrong;
    std::printf("%s at call %d: %s\n", way, faults::at, what);
  };
  std::pair<kind, char const*> const ways[]{{kind::enospc, "ENOSPC"},
                                            {kind::eio, "EIO"},
                                            {kind::interrupted, "EINTR"},
                                            {kind::half, "short write"},
                                            {kind::full, "disk full from then on"},
                                            {kind::crash, "killed"}};
  int all = 0;
  for (auto const& [kind, way] : ways) {
    tally t;
    for (faults::at = 1;; ++faults::at) {
      fs::remove_all(folder);
      fs::copy(begun, folder, fs::copy_options::recursive);
      bool refused = false, reached = true;
      faults::below = kept_below.c_str();
      faults::seen  = 0;
      if (kind == kind::crash) {
        std::fflush(stdout);
        pid_t const child = ::fork();
        if (child == 0) {
          faults::armed = kind;
          save_one_more(folder);
          ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        reached = WIFEXITED(status) && WEXITSTATUS(status) == 9;
        expect(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0), "the program crashed", way);
      } else {
        faults::armed = kind;
        try {
          save_one_more(folder);
        } catch (c2f::input_error const& error) {
          refused = true;
          expect(std::string(error.what()).find("; ") != std::string::npos, error.what(), way);
        } catch (std::exception const& error) {
          expect(false, error.what(), way);
        }
        faults::armed = kind::none;
        reached       = faults::seen >= faults::at;
      }
      if (!reached) break;
      ++t.cases, t.refused += refused, t.survived += !refused;

      faults::armed = kind::none;
      try {
        tiny::spy end;
        int warned = 0;
        c2f::checkpoints kept(folder, {.warn = [&](std::string const&) { ++warned; }});
        only_reads reads{kept};
        train(reads, end);
        expect(reads.found, "no checkpoint was left", way);
        expect(warned == 0, "a checkpoint was damaged", way);
        expect(tiny::same_bytes(end, whole), "the resumed training ended differently", way);
        for (auto const& each : fs::directory_iterator(folder))
          expect(!each.path().filename().string().ends_with(".part"), "an unfinished file was left", way);
      } catch (std::exception const& error) {
        expect(false, error.what(), way);
      }
    }
    std::printf("%-24s %4d calls of a save: %4d refused with a message, %4d continued\n", way, t.cases, t.refused, t.survived);
    all += t.cases;
    if (t.cases < 20) ++wrong;  // the calls were not intercepted: nothing was tested
  }
  fs::remove_all(root);
  std::printf("%d cases, %d wrong\n", all, wrong);
  return wrong == 0 ? 0 : 1;
}
