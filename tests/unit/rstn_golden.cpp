// The published test log of RSTN (20 cases of the NIH pancreas set, https://github.com/twni2016/OrganSegRSTN_PyTorch) and a volume of its
// repository: Dice recomputed from the integers of every line, the stop rule replayed, the post-processing.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <zlib.h>

#include <c2f/data/volumes/components.hpp>
#include <c2f/data/volumes/volume.hpp>
#include <c2f/metrics/overlap.hpp>
#include <c2f/parts/refine.hpp>

#include "catch.hpp"

namespace {

using namespace c2f::data;
using c2f::metrics::overlap;

struct round_of_log {
  double dsc = 0, between = 0;  // with the truth; with the round before
};

// "Round 3, DSC = 2 * 65065 / (75222 + 78329) = 0.8474708728696003 ." as counts and the printed quotient.
overlap counts_of(std::string const& line, double& printed) {
  std::istringstream in(line.substr(line.find("= 2 * ") + 6));
  overlap counts;
  std::string word;
  char bracket;
  in >> counts.inter >> word >> bracket >> counts.pred >> word >> counts.truth >> word >> word >> printed;
  REQUIRE(!in.fail());
  return counts;
}

std::uint32_t little(std::vector<unsigned char> const& bytes, std::size_t at, std::size_t n) {
  std::uint32_t value = 0;
  for (std::size_t i = n; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

// The values of the only array of an .npz file (a zip of .npy files): one byte a value, stored or deflated.
std::vector<unsigned char> values_of_npz(std::filesystem::path const& path, std::string const& wanted_header) {
  std::ifstream in(path, std::ios::binary);
  std::vector<unsigned char> const file((std::istreambuf_iterator<char>(in)), {});
  REQUIRE(file.size() > 1000);
  // The end of the central directory has no comment here: its last 22 bytes. Of the first entry: method, sizes, where the file begins.
  std::size_t const central = little(file, file.size() - 22 + 16, 4);
  REQUIRE(little(file, central, 4) == 0x02014b50);
  std::uint32_t const method = little(file, central + 10, 2), packed = little(file, central + 20, 4), size = little(file, central + 24, 4);
  std::size_t const local = little(file, central + 42, 4), data = local + 30 + little(file, local + 26, 2) + little(file, local + 28, 2);
  std::vector<unsigned char> npy(size);
  if (method == 0) {
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(data), size, npy.begin());
  } else {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, -15) == Z_OK);
    stream.next_in   = const_cast<unsigned char*>(file.data() + data);
    stream.avail_in  = packed;
    stream.next_out  = npy.data();
    stream.avail_out = size;
    REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    inflateEnd(&stream);
  }
  std::size_t const begin = 10 + little(npy, 8, 2);
  REQUIRE(std::string(npy.begin() + 10, npy.begin() + static_cast<std::ptrdiff_t>(begin)).find(wanted_header) != std::string::npos);
  npy.erase(npy.begin(), npy.begin() + static_cast<std::ptrdiff_t>(begin));
  return npy;
}

}  // namespace

TEST_CASE("RSTN's log: 420 Dice coefficients and the stop rule") {
  auto const path = tests::data("rstn_golden/coarse2fine_results.txt");
  if (!path) {
    C2F_SKIP("no rstn_golden here; set C2F_DATA");
  }
  std::vector<std::vector<round_of_log>> cases;
  int lines = 0;
  std::ifstream in(*path);
  for (std::string line; std::getline(in, line);) {
    if (line.find("Testcase") != std::string::npos) cases.emplace_back();
    if (line.find("DSC = 2 * ") == std::string::npos) continue;
    double printed       = 0;
    overlap const counts = counts_of(line, printed);
    CAPTURE(line);
    REQUIRE(counts.dsc() == printed);
    ++lines;
    if (line.find("Round") != std::string::npos)
      cases.back().push_back({counts.dsc(), 0});
    else
      cases.back().back().between = counts.dsc();
  }
  REQUIRE(lines == 420);
  REQUIRE(cases.size() == 20);

  // Stop after the first round (not round 0) that agrees with the previous one; after round 10 in any case.
  auto const mean_when = [&](auto rule) {
    double sum = 0;
    for (auto const& rounds : cases) {
      REQUIRE(rounds.size() == 11);
      std::size_t last = 1;
      while (!rule.stops(rounds[last].between, static_cast<int>(last))) ++last;
      sum += rounds[last].dsc;
    }
    return sum / static_cast<double>(cases.size());
  };
  // Computed once in Python from the same file.
  REQUIRE(mean_when(c2f::refine::until<.90, 10>{}) == .8338679997693854);
  REQUIRE(mean_when(c2f::refine::until<.95, 10>{}) == .8390581390318319);
  REQUIRE(mean_when(c2f::refine::until<.98, 10>{}) == .8448499666303668);
  REQUIRE(mean_when(c2f::refine::until<.99, 10>{}) == .8462290029432893);
}

TEST_CASE("RSTN's volume: one of 40 components is kept") {
  auto const path = tests::data("rstn_golden/volume_512x512x240_bool.npz");
  if (!path) {
    C2F_SKIP("no rstn_golden here; set C2F_DATA");
  }
  // NumPy stores the last index contiguously, a volume the first: the dimensions are reversed.
  volume<std::uint8_t> mask({240, 512, 512});
  mask.values = values_of_npz(*path, "'|b1', 'fortran_order': False, 'shape': (512, 512, 240)");
  REQUIRE(mask.size() == 240 * 512 * 512);

  auto const sizes = component_sizes(mask);
  REQUIRE(sizes.size() == 40);
  REQUIRE(std::vector<std::int64_t>(sizes.begin(), sizes.begin() + 8) ==
          std::vector<std::int64_t>{98222, 1225, 1105, 916, 813, 745, 687, 615});

  volume<std::uint8_t> box(mask.dims);
  for (std::int64_t i = 128; i < 384; ++i)
    for (std::int64_t j = 128; j < 384; ++j)
      for (std::int64_t k = 60; k < 180; ++k) box(k, j, i) = 1;
  for (double const share : {.5, 1.0}) {
    auto const kept = keep_large_components(mask, share);
    overlap score;
    score.add(kept.values, box.values);
    REQUIRE(score.pred == 98222);
    REQUIRE(score.inter == 95432);
    REQUIRE(score.truth == 7864320);
    REQUIRE(score.dsc() == .023970234631101473);
  }
  overlap whole;
  whole.add(mask.values, mask.values);
  REQUIRE(whole.pred == 106431);
  REQUIRE(whole.dsc() == 1.0);
}
