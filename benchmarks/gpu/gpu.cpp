// One contender of the GPU benchmark: bench_gpu CASE graph|in_turn|fed|eager|pair [--device cpu|cuda] [--tiny]
//   graph   c2f's step as it runs on a GPU: captured, with fused operations
//   in_turn the same without programmatic dependent launch (cuda/runtime/launch.cuh)
//   fed     the same with the data path of fit: small images on the device, others from the threads of a loader
//   eager   the same step with ATen's operations alone, not captured
//   pair    the two networks alone, the fine one on a given input; no source, no g, no concatenation; captured, too
// A step is one of progressive training, t = 0.5, channels last, bfloat16 with float parameters: forward, both losses, backward, SGD.
// The cases are resnet20, resnet56, resnet110, resnet18, resnet50, localiser and fcn8s; --tiny makes them small enough to try on a CPU.
// It prints "built", waits for a line, warms up and prints "ready"; the line lets the caller warm up one contender at a time. From then on
// it executes commands from stdin like peers/gpu.py: "go K" prints the milliseconds of K steps together and the peak memory in MB, "look K"
// a profile of K steps as JSON.
#include "contender.hpp"

#include <torch/csrc/autograd/profiler_kineto.h>

#ifdef C2F_WITH_CUDA
#include <c2f/cuda/gpu.hpp>
#endif

#include <cctype>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <vector>

c2f::accelerator bench::machine::accelerator() const {
#ifdef C2F_WITH_CUDA
  if (gpu()) return c2f::cuda::gpu();
#endif
  return {};
}

namespace {

using bench::machine, bench::runner;

std::unique_ptr<runner> make(std::string const& name, std::string const& variant, machine const& where, bool tiny) {
  for (auto* const cases : {&bench::small_images, &bench::large_images, &bench::boxes_and_masks})
    if (auto steps = cases(name, variant, where, tiny)) return steps;
  throw std::runtime_error("no case '" + name + "'");
}

std::string quoted(std::string const& text) {
  std::string line = "\"";
  for (char const each : text) {
    if (each == '"' || each == '\\') line += '\\';
    line += static_cast<unsigned char>(each) < 32 ? ' ' : each;
  }
  return line + '"';
}

/// A profile of a few steps by LibTorch's profiler: the kernels with their number and time, and the calls of CUDA's API.
std::string look(runner& steps, int count, machine const& where) {
  namespace profiler = torch::autograd::profiler;
  using torch::profiler::impl::ActivityType, torch::profiler::impl::ProfilerConfig, torch::profiler::impl::ProfilerState;
  steps.go(1);
  where.finish();
  ProfilerConfig const config(ProfilerState::KINETO);
  std::set<ActivityType> const activities{where.gpu() ? ActivityType::CUDA : ActivityType::CPU};
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  steps.go(count);
  where.finish();
  auto const result = profiler::disableProfiler();
  struct found {
    std::uint64_t count = 0, nanoseconds = 0;
  };
  std::map<std::string, found> kernels, calls;
  for (auto const& event : result->events()) {
    std::string const name = event.name();
    bool const on_gpu      = event.deviceType() == at::kCUDA;
    // Of the host's events only calls of CUDA's API: cudaLaunchKernel, cuLaunchKernelEx, ...
    bool const call =
        !on_gpu && (name.rfind("cuda", 0) == 0 || (name.size() > 2 && name.rfind("cu", 0) == 0 && std::isupper(name[2]) != 0));
    if (!on_gpu && !call) continue;
    found& into = (on_gpu ? kernels : calls)[name];
    ++into.count;
    into.nanoseconds += event.durationNs();
  }
  std::string line = "{\"steps\": " + std::to_string(count) + ", \"kernels\": [";
  for (auto const& [name, each] : kernels)
    line += (line.back() == '[' ? "[" : ", [") + quoted(name) + ", " + std::to_string(each.count) + ", " +
            std::to_string(each.nanoseconds) + "]";
  line += "], \"calls\": {";
  for (auto const& [name, each] : calls) line += (line.back() == '{' ? "" : ", ") + quoted(name) + ": " + std::to_string(each.count);
  return line + "}}";
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void serve(runner& steps, machine const& where, bool tiny, std::chrono::steady_clock::time_point begin) {
  char what[8];
  std::printf("built\n");
  std::fflush(stdout);
  if (std::scanf(" %7s", what) != 1) return;
  steps.go(tiny ? 2 : 6);
  where.finish();
  where.settle();
  steps.go(tiny ? 1 : 3);
  where.finish();
  std::printf("ready %.1f\n", seconds_since(begin));
  std::fflush(stdout);
  for (int count = 0; std::scanf(" %7s %d", what, &count) == 2;) {
    if (std::string(what) == "look") {
      std::printf("%s\n", look(steps, count, where).c_str());
    } else {
      where.finish();
      auto const now = std::chrono::steady_clock::now();
      steps.go(count);
      where.finish();
      std::printf("%.4f %.1f\n", 1e3 * seconds_since(now), where.peak_megabytes());
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** words) try {
  auto const begin = std::chrono::steady_clock::now();
  std::vector<std::string> const given(words + 1, words + count);
  bool gpu = true, tiny = false, valid = given.size() >= 2;
  for (std::size_t i = 2; i < given.size() && valid; ++i) {
    if (given[i] == "--tiny")
      tiny = true;
    else if (given[i] == "--device" && i + 1 < given.size() && (given[i + 1] == "cpu" || given[i + 1] == "cuda"))
      gpu = given[++i] == "cuda";
    else
      valid = false;
  }
  if (!valid) throw std::runtime_error("usage: bench_gpu CASE graph|in_turn|fed|eager|pair [--device cpu|cuda] [--tiny]");
  machine const where(gpu);
  auto const steps = make(given[0], given[1], where, tiny);
  serve(*steps, where, tiny, begin);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "bench_gpu: %s\n", wrong.what());
  return 1;
}
