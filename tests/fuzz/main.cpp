// Runs a fuzz target without libFuzzer, so that every compiler has a fuzzer:
//
//   voc_xml corpus/voc_xml/*                           # each file once
//   voc_xml --mutate 200000 1 corpus/voc_xml/*         # 200,000 mutated copies of them; the same for the same seed
//   voc_xml --seconds 60 1 corpus/voc_xml/*            # as many as 60 seconds allow
//
// A mutation flips a bit, replaces a byte, truncates, removes or duplicates a piece, or inserts a piece of another file; up to eight per
// copy. A failing input, or one that takes more than 10 s of processor time, is written to the file crash-<number> if the process can still
// do so: run that file alone.
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <c2f/core/random.hpp>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace {

using bytes = std::vector<std::uint8_t>;

bytes contents(char const* file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "cannot open '%s'; give files of the corpus\n", file);
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

bytes mutated(std::vector<bytes> const& corpus, c2f::random_stream& draw) {
  auto const below = [&](std::size_t n) { return std::size_t{draw.below(static_cast<std::uint32_t>(n))}; };
  auto const piece = [&](bytes const& of) {
    std::size_t const from = below(of.size() + 1), length = below(std::min<std::size_t>(of.size() - from, 64) + 1);
    return bytes(of.begin() + static_cast<std::ptrdiff_t>(from), of.begin() + static_cast<std::ptrdiff_t>(from + length));
  };
  bytes made = corpus[below(corpus.size())];
  for (std::size_t changes = 1 + below(8); changes > 0; --changes) {
    auto const at = static_cast<std::ptrdiff_t>(below(made.size() + 1));
    bytes other;
    switch (below(6)) {
      case 0:
        if (!made.empty()) made[below(made.size())] ^= static_cast<std::uint8_t>(1u << below(8));
        break;
      case 1:
        if (!made.empty()) made[below(made.size())] = static_cast<std::uint8_t>(draw.bits());
        break;
      case 2:
        made.erase(made.begin() + at, made.end());
        break;
      case 3:
        made.erase(made.begin() + at,
                   made.begin() + at + static_cast<std::ptrdiff_t>(below(made.size() - static_cast<std::size_t>(at) + 1)));
        break;
      case 4:
        other = piece(made);
        made.insert(made.begin() + at, other.begin(), other.end());
        break;
      default:
        other = piece(corpus[below(corpus.size())]);
        made.insert(made.begin() + at, other.begin(), other.end());
    }
  }
  return made;
}

bytes const* running = nullptr;
unsigned long number = 0;

void keep() {
  if (running == nullptr) return;
  std::string const name = "crash-" + std::to_string(number);
  std::ofstream(name, std::ios::binary)
      .write(reinterpret_cast<char const*>(running->data()), static_cast<std::streamsize>(running->size()));
  std::fprintf(stderr, "written to '%s'\n", name.c_str());
}

// Processor time, so that a busy machine is no finding.
void limit_time(int seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = seconds;
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}
void run(bytes const& input) {
  running = &input;
  limit_time(10);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  limit_time(0);
  running = nullptr;
}

unsigned long number_of(char const* word) {
  char* end                = nullptr;
  unsigned long const read = std::strtoul(word, &end, 10);
  if (*word < '0' || *word > '9' || *end != '\0') {
    std::fprintf(stderr, "'%s' is no number; give --mutate COPIES SEED or --seconds SECONDS SEED and files\n", word);
    std::exit(2);
  }
  return read;
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif

int main(int count, char** words) {
  std::signal(SIGABRT, [](int) { keep(); });  // also called by std::terminate
  std::signal(SIGPROF, [](int) {
    std::fprintf(stderr, "an input takes more than 10 s\n");
    keep();
    ::_exit(1);
  });
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_set_death_callback(keep);
#endif
  auto const begin      = std::chrono::steady_clock::now();
  auto const seconds    = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  bool const by_seconds = count > 4 && std::strcmp(words[1], "--seconds") == 0;
  unsigned long copies = 0, seed = 0, limit = 0;
  int first = 1;
  if (by_seconds || (count > 4 && std::strcmp(words[1], "--mutate") == 0)) {
    limit  = number_of(words[2]);
    copies = by_seconds ? std::numeric_limits<unsigned long>::max() : limit;
    seed   = number_of(words[3]);
    first  = 4;
  }
  std::vector<bytes> corpus;
  for (int i = first; i < count; ++i) corpus.push_back(contents(words[i]));
  if (corpus.empty()) {
    std::fprintf(stderr, "give files, or --mutate COPIES SEED or --seconds SECONDS SEED and files\n");
    return 2;
  }
  for (auto const& file : corpus) run(file), ++number;
  for (number = 0; number < copies && !(by_seconds && seconds() >= static_cast<double>(limit)); ++number) {
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, number};
    bytes const made = mutated(corpus, draw);
    run(made);
  }
  std::printf("%zu files and %lu copies in %.1f s\n", corpus.size(), number, seconds());
}
