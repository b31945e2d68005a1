// Bandwidth of the memory-bound kernels: bench_kernels [--device cpu|cuda] [--tiny] [--json FILE]
//
// Every operation of c2f::cuda::fused is timed on several sets of buffers in turn, together larger than any cache, so that each call reads
// from memory. The bytes are those that an operation must read and write; the reference is a copy from device to device in the same run.
// With --device cpu the CPU versions of the kernels run: that is for trying the program, the numbers mean nothing for a GPU.
//
// For a new kernel add a function like those below: sizes, bytes, and a function that makes a call.
#include <c2f/cuda/fused.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#ifdef C2F_WITH_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using c2f::cuda::fused;

constexpr double wanted         = 0.8;  // of the copy's bandwidth
constexpr at::MemoryFormat last = at::MemoryFormat::ChannelsLast;

struct result {
  std::string name;
  double megabytes, microseconds, least, most;  ///< per call
  [[nodiscard]] double gigabytes_a_second() const { return megabytes / microseconds * 1e3; }
};

/// A differentiable call: its result and the inputs that it is differentiated by.
struct differentiable {
  at::Tensor result;
  std::vector<at::Tensor> inputs;
};

class bench {
 public:
  bench(at::Device device, bool tiny) : device_(device), tiny_(tiny) {}

  [[nodiscard]] at::TensorOptions options(at::ScalarType type) const { return at::TensorOptions(type).device(device_); }
  /// Normally distributed numbers.
  [[nodiscard]] at::Tensor normal(at::IntArrayRef sizes, at::ScalarType type = at::kBFloat16) const {
    at::Tensor const numbers = at::randn(sizes, options(type));
    return sizes.size() == 4 ? numbers.contiguous(last) : numbers;
  }
  /// How many items of `bytes` bytes make a call long compared with its launch: the largest power of two below 512 MiB.
  [[nodiscard]] std::int64_t count(std::int64_t bytes) const {
    std::int64_t many = 1;
    while (2 * many * bytes <= (tiny_ ? std::int64_t{1} << 18 : std::int64_t{1} << 29)) many *= 2;
    return many;
  }

  /// `make()` returns a function that has its own buffers; `bytes` is what one call of it reads and writes.
  template <class Make>
  void time(std::string const& name, std::int64_t bytes, Make const& make) {
    try {
      std::vector<std::function<void()>> calls;
      for (int i = 0; i < sets; ++i) calls.emplace_back(make());
      for (auto const& call : calls) call();
      int const turns = tiny_ ? 1 : 3, samples = tiny_ ? 3 : 15;
      std::vector<double> all;
      for (int i = 0; i < samples; ++i)
        all.push_back(microseconds([&] {
                        for (int turn = 0; turn < turns; ++turn)
                          for (auto const& call : calls) call();
                      }) /
                      static_cast<double>(turns * sets));
      std::sort(all.begin(), all.end());
      results_.push_back({name, static_cast<double>(bytes) / 1e6, all[all.size() / 2], all.front(), all.back()});
    } catch (std::exception const& wrong) {
      std::string const what = wrong.what();
      std::fprintf(stderr, "bench_kernels: %s: %s\n", name.c_str(), what.substr(0, what.find('\n')).c_str());
      failed_.push_back(name);
    }
#ifdef C2F_WITH_CUDA
    if (device_.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
#endif
  }
  /// The gradient of the call that `make()` returns, which is made once for each set of buffers.
  template <class Make>
  void time_gradient(std::string const& name, std::int64_t bytes, Make const& make) {
    time(name, bytes, [&] {
      at::AutoGradMode const gradients(true);
      differentiable const one = make();
      return
          [one, change = at::randn_like(one.result)] { torch::autograd::grad({one.result}, one.inputs, {change}, /*retain_graph=*/true); };
    });
  }

  /// Compares all results with the first one, the copy. Returns the number of operations that failed.
  [[nodiscard]] int print() const {
    if (results_.empty()) return 1;
    double const copy = results_.front().gigabytes_a_second();
    int short_        = static_cast<int>(failed_.size());
    std::printf(
        "| operation | MB per call | us, median | least ... most | GB/s | of the copy | |\n| --- | ---: | ---: | ---: | ---: | ---: | --- "
        "|\n");
    for (auto const& each : results_) {
      double const fraction = each.gigabytes_a_second() / copy;
      short_ += fraction < wanted;
      std::printf("| %s | %.1f | %.1f | %.1f ... %.1f | %.0f | %.0f %% | %s |\n", each.name.c_str(), each.megabytes, each.microseconds,
                  each.least, each.most, each.gigabytes_a_second(), 100 * fraction, fraction >= wanted ? "met" : "NOT MET");
    }
    for (auto const& each : failed_) std::printf("| %s | | | | | | FAILED |\n", each.c_str());
    std::printf("\nwanted: at least %.0f %% of the copy's bandwidth; not met or failed: %d\n", 100 * wanted, short_);
    return static_cast<int>(failed_.size());
  }
  void write_json(std::string const& path) const {
    std::FILE* const file = std::fopen((path + ".new").c_str(), "w");
    if (file == nullptr) throw std::runtime_error("cannot write " + path);
    std::fprintf(file, "[");
    for (auto const& each : results_)
      std::fprintf(file,
                   "%s\n {\"name\": \"%s\", \"megabytes\": %.3f, \"microseconds\": %.3f, \"least\": %.3f, \"most\": %.3f, \"gb_s\": %.2f}",
                   &each == &results_.front() ? "" : ",", each.name.c_str(), each.megabytes, each.microseconds, each.least, each.most,
                   each.gigabytes_a_second());
    std::fprintf(file, "\n]\n");
    if (std::fclose(file) != 0 || std::rename((path + ".new").c_str(), path.c_str()) != 0) throw std::runtime_error("cannot write " + path);
  }

 private:
  static constexpr int sets = 2;  // with calls of 512 MiB no cache holds anything from one turn to the next

  template <class Work>
  [[nodiscard]] double microseconds(Work const& work) const {
#ifdef C2F_WITH_CUDA
    if (device_.is_cuda()) {
      auto const stream = c10::cuda::getCurrentCUDAStream();
      at::cuda::CUDAEvent begin(cudaEventDefault), end(cudaEventDefault);
      begin.record(stream);
      work();
      end.record(stream);
      end.synchronize();
      return 1e3 * static_cast<double>(begin.elapsed_time(end));
    }
#endif
    auto const begin = std::chrono::steady_clock::now();
    work();
    return 1e6 * std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  at::Device device_;
  bool tiny_;
  std::vector<result> results_;
  std::vector<std::string> failed_;
};

void copy(bench& all) {
  std::int64_t const size = all.count(2);
  all.time("copy from device to device", 2 * size, [&] {
    return [from = at::randint(256, {size}, all.options(at::kByte)), to = at::empty({size}, all.options(at::kByte))] { to.copy_(from); };
  });
}

/// Every row takes the prediction; for a row of the truth nothing is read.
void sample_source(bench& all, at::ScalarType type, std::string const& in) {
  std::int64_t const classes = 1000, size = type == at::kFloat ? 4 : 2, rows = all.count(2 * size * classes);
  at::Tensor const truth   = at::randint(classes, {rows}, all.options(at::kLong));
  at::Tensor const uniform = at::rand({rows}, all.options(at::kDouble)), t = at::full({1}, 2.0, all.options(at::kDouble));
  all.time("sample_source, 1,000 classes" + in, rows * (2 * size * classes + 8),
           [&] { return [=, raw = all.normal({rows, classes}, type)] { fused.sample_source(raw, truth, uniform, t); }; });
  all.time_gradient("sample_source, gradient" + in, rows * (3 * size * classes + 8), [&] {
    at::Tensor const raw = all.normal({rows, classes}, type).requires_grad_();
    return differentiable{fused.sample_source(raw, truth, uniform, t), {raw}};
  });
}

/// x is read twice, for its statistics and for itself; the gradient reads x, y and dy twice and writes one map, with a shortcut two.
void norm_relu(bench& all) {
  std::int64_t const channels = 64, side = 56, map = channels * side * side, n = all.count(2 * map * 2), numbers = n * map;
  auto const vector = [&](double value) { return at::full({channels}, value, all.options(at::kFloat)); };
  for (bool const with_shortcut : {false, true}) {
    std::string const name = with_shortcut ? "norm, sum, ReLU" : "norm, ReLU";
    auto const call        = [=](at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& shortcut,
                          at::Tensor const& mean,
                          at::Tensor const& variance) { return fused.norm_relu(x, weight, bias, mean, variance, shortcut, /*relu=*/true); };
    auto const map_        = [&] { return all.normal({n, channels, side, side}); };
    all.time(name, numbers * (with_shortcut ? 8 : 6), [&] {
      return [=, x = map_(), shortcut = with_shortcut ? map_() : at::Tensor(), weight = vector(1), bias = vector(0), mean = vector(0),
              variance = vector(1)] { call(x, weight, bias, shortcut, mean, variance); };
    });
    all.time_gradient(name + ", gradient", numbers * 14, [&] {
      at::Tensor const x = map_().requires_grad_(), shortcut = with_shortcut ? map_().requires_grad_() : at::Tensor(),
                       weight = vector(1).requires_grad_(), bias = vector(0).requires_grad_();
      std::vector<at::Tensor> inputs{x, weight, bias};
      if (with_shortcut) inputs.push_back(shortcut);
      return differentiable{call(x, weight, bias, shortcut, vector(0), vector(1)), inputs};
    });
  }
}

/// x is read and y written; the gradient reads y and dy and writes dx.
void bias_relu(bench& all) {
  std::int64_t const channels = 64, side = 112, map = channels * side * side, n = all.count(2 * 2 * map);
  all.time("bias, ReLU", 2 * n * 2 * map, [&] {
    return [x = all.normal({n, channels, side, side}), bias = all.normal({channels})] { fused.bias_relu(x, bias, {}, true); };
  });
  all.time_gradient("bias, ReLU, gradient", 2 * n * 3 * map, [&] {
    at::Tensor const x = all.normal({n, channels, side, side}).requires_grad_(), bias = all.normal({channels}).requires_grad_();
    return differentiable{fused.bias_relu(x, bias, {}, true), {x, bias}};
  });
}

/// 16 bytes for parameter and momentum, 2 for the bfloat16 copy, and the gradient.
void update(bench& all) {
  std::int64_t const pieces = 16, size = std::max<std::int64_t>(64, all.count(16) / pieces), count = pieces * size;
  std::vector<c2f::flat_piece> flat_pieces;
  for (std::int64_t i = 0; i < pieces; ++i) flat_pieces.push_back({i * size, size});
  auto const gradients_of = [&](at::ScalarType type) {
    std::vector<at::Tensor> gradients;
    for (std::int64_t i = 0; i < pieces; ++i) gradients.push_back(all.normal({size}, type));
    return gradients;
  };
  for (at::ScalarType const type : {at::kFloat, at::kBFloat16}) {
    std::string const in       = type == at::kFloat ? ", float gradients" : ", bfloat16 gradients";
    std::int64_t const of_each = type == at::kFloat ? 4 : 2;
    all.time("SGD with momentum" + in, count * (18 + of_each), [&] {
      return [flat_pieces, gradients = gradients_of(type), parameters = all.normal({count}, at::kFloat), low = all.normal({count}),
              momenta = all.normal({count}, at::kFloat), learning_rate = at::full({}, 1e-6, all.options(at::kDouble))] {
        fused.sgd({.parameters    = parameters,
                   .low           = low,
                   .pieces        = flat_pieces,
                   .gradients     = gradients,
                   .weight_decay  = 1e-4,
                   .learning_rate = learning_rate},
                  {.momentum = 0.9, .momenta = momenta});
      };
    });
    all.time("norm of gradients" + in, count * of_each, [&] {
      return [flat_pieces, gradients = gradients_of(type), norm = at::zeros({}, all.options(at::kDouble))] {
        fused.gradient_norm(gradients, flat_pieces, norm);
      };
    });
  }
}

/// Per image 3,072 bytes are read and twice as many written.
void augment_pictures(bench& all) {
  std::int64_t const pictures = all.count(3072 * 8), n = all.count(3072 * 3);
  c2f::picture_source const from{.bytes      = at::randint(256, {pictures, 3, 32, 32}, all.options(at::kByte)),
                                 .labels     = at::randint(100, {pictures}, all.options(at::kLong)),
                                 .normalised = all.normal({3, 256}, at::kFloat),
                                 .pad        = 4,
                                 .flip       = true};
  at::Tensor const keys = at::arange(2, all.options(at::kLong));
  all.time("crop, flip, normalise pictures", n * (3072 * 3 + 16), [&] {
    return [=, ids = at::randint(pictures, {n}, all.options(at::kLong)), images = all.normal({n, 3, 32, 32}),
            truth = at::empty({n}, all.options(at::kLong))] { fused.augment_pictures(from, ids, keys, /*augment=*/true, images, truth); };
  });
}

void dropout(bench& all) {
  std::int64_t const width = 4096, n = all.count(2 * 2 * width);
  at::Tensor const ids = at::arange(n, all.options(at::kLong)), keys = at::arange(2, all.options(at::kLong));
  all.time("dropout", 4 * n * width, [&] { return [=, x = all.normal({n, width})] { fused.dropout(x, ids, keys, 0.5, 11); }; });
}

/// x is read and the concatenation of x and z written; the gradient reads z's half, but in whole sectors, so all of it counts.
void concat_broadcast(bench& all) {
  std::int64_t const side = 224, map = 3 * side * side, n = all.count(2 * 3 * map);
  all.time("x concatenated with broadcast g", 2 * n * 3 * map,
           [&] { return [x = all.normal({n, 3, side, side}), tiny = all.normal({n, 3, 5, 5})] { fused.concat_broadcast(x, tiny); }; });
  all.time_gradient("x concatenated with broadcast g, gradient", 2 * n * 2 * map, [&] {
    at::Tensor const tiny = all.normal({n, 3, 5, 5}).requires_grad_();
    return differentiable{fused.concat_broadcast(all.normal({n, 3, side, side}), tiny), {tiny}};
  });
}

/// The other summand is read and the sum written; the gradient is read once, its sums over columns are small.
void broadcast_interior(bench& all) {
  std::int64_t const channels = 64, side = 112, tiny = 7, map = channels * side * side, n = all.count(2 * 2 * map);
  auto const tiny_map = [=, &all] { return all.normal({n, channels, tiny, tiny}); };
  all.time("broadcast map added", 2 * n * 2 * map, [&] {
    return
        [=, small = tiny_map(), onto = all.normal({n, channels, side, side})] { fused.broadcast_interior(small, side, side, last, onto); };
  });
  all.time_gradient("broadcast map, gradient", 2 * n * map, [&] {
    at::Tensor const small = tiny_map().requires_grad_();
    return differentiable{fused.broadcast_interior(small, side, side, last, {}), {small}};
  });
}

/// ResNet's: four elements of x per element of y; the gradient also reads one byte, the index.
void max_pool(bench& all) {
  std::int64_t const channels = 64, side = 112, map = channels * side * side, n = all.count(2 * map), elements = n * map / 4;
  all.time("max pooling 3x3 by 2", elements * 10,
           [&] { return [x = all.normal({n, channels, side, side})] { fused.max_pool(x, 3, 2, 1, false); }; });
  all.time_gradient("max pooling 3x3 by 2, gradient", elements * 11, [&] {
    at::Tensor const x = all.normal({n, channels, side, side}).requires_grad_();
    return differentiable{fused.max_pool(x, 3, 2, 1, false), {x}};
  });
}

void draw_boxes(bench& all) {
  std::int64_t const side = 192, n = all.count(4 * side * side);
  all.time("boxes drawn", 4 * n * side * side,
           [&] { return [=, boxes = at::rand({n, 1, 4}, all.options(at::kFloat))] { fused.draw_boxes(boxes, side, side, 0, last); }; });
}

/// The rectangles of both maps are read, their product is written.
void multiply_crop(bench& all) {
  std::int64_t const side = 512, part = 384, n = all.count(2 * 3 * 3 * part * part);
  std::vector<std::int64_t> corners;
  for (std::int64_t i = 0; i < n; ++i) corners.insert(corners.end(), {i * 7 % (side - part), i * 11 % (side - part)});
  all.time("product, cropped", 2 * n * 3 * 3 * part * part, [&] {
    return [=, x = all.normal({n, 3, side, side}), z = all.normal({n, 3, side, side})] { fused.multiply_crop(x, z, corners, part, part); };
  });
}

/// The gradient is read once and once more from cache.
void upsample_bilinear(bench& all) {
  std::int64_t const small = 32, large = 256, channels = 16, n = all.count(2 * channels * large * large);
  std::int64_t const bytes = 2 * n * channels * (large * large + small * small);
  all.time("bilinear, 8 times the size", bytes,
           [&] { return [=, x = all.normal({n, channels, small, small})] { fused.upsample_bilinear(x, large, large); }; });
  all.time_gradient("bilinear, gradient", bytes, [&] {
    at::Tensor const x = all.normal({n, channels, small, small}).requires_grad_();
    return differentiable{fused.upsample_bilinear(x, large, large), {x}};
  });
}

/// raw and truth are read and two numbers per pixel written; the gradient reads all of these and writes a map of raw's size.
void map_cross_entropy(bench& all) {
  std::int64_t const side = 256, classes = 16, pixels = side * side, n = all.count(pixels * (2 * classes + 8));
  auto const truth = [&] { return at::randint(classes, {n, side, side}, all.options(at::kLong)); };
  all.time("cross-entropy of a map", n * pixels * (2 * classes + 16),
           [&] { return [raw = all.normal({n, classes, side, side}), labels = truth()] { fused.map_cross_entropy(raw, labels, 255); }; });
  all.time_gradient("cross-entropy of a map, gradient", n * pixels * (4 * classes + 16), [&] {
    at::Tensor const raw = all.normal({n, classes, side, side}).requires_grad_();
    return differentiable{fused.map_cross_entropy(raw, truth(), 255), {raw}};
  });
}

}  // namespace

int main(int count, char** words) try {
  std::vector<std::string> const given(words + 1, words + count);
  std::string json;
  bool gpu = true, tiny = false;
  for (std::size_t i = 0; i < given.size(); ++i) {
    bool const value = i + 1 < given.size();
    if (given[i] == "--tiny")
      tiny = true;
    else if (given[i] == "--json" && value)
      json = given[++i];
    else if (given[i] == "--device" && value && (given[i + 1] == "cpu" || given[i + 1] == "cuda"))
      gpu = given[++i] == "cuda";
    else
      throw std::runtime_error("usage: bench_kernels [--device cpu|cuda] [--tiny] [--json FILE]");
  }
#ifdef C2F_WITH_CUDA
  if (gpu && c10::cuda::device_count() == 0) throw std::runtime_error("there is no GPU here; write --device cpu --tiny to try it");
#else
  if (gpu) throw std::runtime_error("this program was built without c2f::cuda; write --device cpu --tiny to try it");
#endif

  at::NoGradGuard const no_gradients;
  bench all(gpu ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU), tiny);
  copy(all);
  sample_source(all, at::kFloat, ", float");
  sample_source(all, at::kBFloat16, ", bfloat16");
  norm_relu(all);
  bias_relu(all);
  update(all);
  augment_pictures(all);
  dropout(all);
  concat_broadcast(all);
  broadcast_interior(all);
  max_pool(all);
  draw_boxes(all);
  multiply_crop(all);
  upsample_bilinear(all);
  map_cross_entropy(all);
  int const failed = all.print();
  if (!json.empty()) all.write_json(json);
  return failed == 0 ? 0 : 1;
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "bench_kernels: %s\n", wrong.what());
  return 1;
}
