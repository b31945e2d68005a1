// Inference: bench_predict [--device cpu|cuda] [--json FILE]
// For each network and batch size, alternating: the stack itself, the predictor without folding, the predictor, and the predictor in
// bfloat16. On a GPU the predictor's passes are captured. A row has the median over the turns, minimum and maximum, and images per second;
// the last column is the time relative to the stack, the median over the turns.
#include <c2f/parts/encode_tile.hpp>
#include <c2f/inference/predictor.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/resnet_cifar.hpp>

#include <ATen/Context.h>
#include <ATen/ops/randn.h>

#ifdef C2F_WITH_CUDA
#include <c2f/cuda/gpu.hpp>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

struct resnet20 {
  static constexpr char const* name = "ResNet-20, 32x32, 100 classes";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<20, c2f::class_vector<100>>;
};
struct resnet18 {
  static constexpr char const* name = "ResNet-18, 224x224, 1,000 classes";
  using input                       = c2f::image<3, 224, 224>;
  using network                     = c2f::resnet<18, c2f::class_vector<1000>>;
};
struct resnet50 {
  static constexpr char const* name = "ResNet-50, 224x224, 1,000 classes";
  using input                       = c2f::image<3, 224, 224>;
  using network                     = c2f::resnet<50, c2f::class_vector<1000>>;
};

struct row {
  std::string task, variant;
  std::int64_t batch;
  std::vector<double> milliseconds{};
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class bench {
 public:
  explicit bench(c2f::accelerator device) : device_(std::move(device)) {}

  template <class Task>
  void measure(std::int64_t batch, int turns) {
    at::NoGradGuard const no_gradients;
    c2f::stack<Task> model;
    c2f::predictor<Task> plain(model, {.on = device_, .fold = false}), folded(model, {.on = device_}),
        low(model, {.on = device_, .bf16 = true});
    c2f::move_to(model, device_.device);
    c2f::to_channels_last(model);
    at::Tensor const x =
        at::randn({batch, 3, Task::input::height, Task::input::width}).to(device_.device).contiguous(at::MemoryFormat::ChannelsLast);
    std::vector<std::pair<std::string, std::function<void()>>> const variants{{"the stack", [&] { model(x, c2f::eval); }},
                                                                              {"predictor, not folded", [&] { plain(x); }},
                                                                              {"predictor", [&] { folded(x); }},
                                                                              {"predictor, bfloat16", [&] { low(x); }}};
    std::vector<row> rows;
    int passes = 1;
    for (auto const& [variant, pass] : variants) {
      rows.push_back({Task::name, variant, batch});
      for (int i = 0; i < 3; ++i) pass();
      passes = std::max(passes, static_cast<int>(20 / std::max(1e-3, time_of(pass, 2))));  // turns of 20 ms or more
    }
    for (int turn = 0; turn < turns; ++turn)
      for (std::size_t i = 0; i < variants.size(); ++i) rows[i].milliseconds.push_back(time_of(variants[i].second, passes));
    for (auto const& each : rows) {
      std::vector<double> ratios;
      for (std::size_t i = 0; i < each.milliseconds.size(); ++i) ratios.push_back(each.milliseconds[i] / rows[0].milliseconds[i]);
      auto const [least, most] = std::ranges::minmax(each.milliseconds);
      std::printf("| %s | %lld | %s | %.3f | %.3f ... %.3f | %.0f | %.2f |\n", each.task.c_str(), static_cast<long long>(batch),
                  each.variant.c_str(), median(each.milliseconds), least, most,
                  1e3 * static_cast<double>(batch) / median(each.milliseconds), median(ratios));
      std::fflush(stdout);
    }
    done_.insert(done_.end(), rows.begin(), rows.end());
  }

  void write(std::string const& file) const {
    std::FILE* const to = std::fopen(file.c_str(), "w");
    if (to == nullptr) throw std::runtime_error("cannot write '" + file + "'");
    std::fprintf(to, "[");
    for (std::size_t i = 0; i < done_.size(); ++i) {
      std::fprintf(to, "%s\n {\"task\": \"%s\", \"batch\": %lld, \"way\": \"%s\", \"ms\": [", i == 0 ? "" : ",", done_[i].task.c_str(),
                   static_cast<long long>(done_[i].batch), done_[i].variant.c_str());
      for (std::size_t k = 0; k < done_[i].milliseconds.size(); ++k)
        std::fprintf(to, "%s%.5f", k == 0 ? "" : ", ", done_[i].milliseconds[k]);
      std::fprintf(to, "]}");
    }
    std::fprintf(to, "\n]\n");
    if (std::fclose(to) != 0) throw std::runtime_error("cannot write '" + file + "'");
  }

 private:
  void finish() const {
#ifdef C2F_WITH_CUDA
    if (!device_.device.is_cpu()) c10::cuda::device_synchronize();
#endif
  }
  double time_of(std::function<void()> const& pass, int passes) const {
    finish();
    auto const begin = std::chrono::steady_clock::now();
    for (int i = 0; i < passes; ++i) pass();
    finish();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / passes;
  }
  c2f::accelerator device_;
  std::vector<row> done_;
};

}  // namespace

int main(int count, char** words) try {
  bool gpu = true;
  std::string json;
  for (int i = 1; i < count; i += 2) {
    std::string const word = words[i], value = i + 1 < count ? words[i + 1] : "";
    if (word == "--device" && (value == "cpu" || value == "cuda"))
      gpu = value == "cuda";
    else if (word == "--json" && !value.empty())
      json = value;
    else
      throw std::runtime_error("usage: bench_predict [--device cpu|cuda] [--json FILE]");
  }
  c2f::accelerator device;
  if (gpu) {
#ifdef C2F_WITH_CUDA
    device = c2f::cuda::gpu();
    at::globalContext().setBenchmarkCuDNN(true);
#else
    throw std::runtime_error("this program was built without c2f::cuda; write --device cpu");
#endif
  }
  bench all(device);
  std::printf("|  | batch |  | ms, median | least ... most | images per second | times the stack |\n|---|---:|---|---:|---:|---:|---:|\n");
  int const turns = 9;
  all.measure<resnet20>(1, turns);
  all.measure<resnet20>(128, turns);
  all.measure<resnet18>(1, turns);
  all.measure<resnet18>(gpu ? 256 : 8, turns);
  all.measure<resnet50>(1, turns);
  if (gpu) all.measure<resnet50>(256, turns);
  if (!json.empty()) all.write(json);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "bench_predict: %s\n", wrong.what());
  return 1;
}
