// Times the operators of detectors and COCO's average precision; detection/run.py runs it in alternation with torchvision and pycocotools.
//
//   bench_detection FILE                  FILE: what detection/run.py has written
// Prints "ready" and the number of threads; for each line "NAME K" on standard input K times in milliseconds and a checksum.
#include <c2f/detection/assign.hpp>
#include <c2f/detection/deformable_conv.hpp>
#include <c2f/detection/nms.hpp>
#include <c2f/detection/roi_align.hpp>
#include <c2f/metrics/coco_ap.hpp>

#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace detection = c2f::detection;

class input {
 public:
  explicit input(char const* path) : file_(path, std::ios::binary) {}
  std::int64_t whole() { return numbers<std::int64_t>(1)[0]; }
  /// float [dims...], after their number.
  at::Tensor tensor() {
    auto const dims    = numbers<std::int64_t>(static_cast<std::size_t>(whole()));
    at::Tensor made    = at::empty(dims, at::TensorOptions(at::kFloat));
    auto const content = numbers<float>(static_cast<std::size_t>(made.numel()));
    std::copy(content.begin(), content.end(), made.mutable_data_ptr<float>());
    return made;
  }
  template <class T>
  std::vector<T> numbers(std::size_t count) {
    std::vector<T> made(count);
    if (!file_.read(reinterpret_cast<char*>(made.data()), static_cast<std::streamsize>(count * sizeof(T))))
      throw c2f::input_error("the file ends early; run detection/run.py again");
    return made;
  }

 private:
  std::ifstream file_;
};

struct operation {
  std::function<at::Tensor()> forward;
  std::vector<at::Tensor> leaves = {};
};

/// found: picture, label, x0, y0, x1, y1, score; objects: picture, label, x0, y0, x1, y1, crowd.
double average_precision(std::vector<double> const& found, std::vector<double> const& objects, std::size_t pictures, std::int64_t classes) {
  c2f::metrics::coco_ap score(classes);
  std::vector<c2f::metrics::found_object> detections;
  std::vector<c2f::metrics::true_object> truth;
  std::size_t f = 0, o = 0;
  for (std::size_t n = 0; n < pictures; ++n) {
    detections.clear(), truth.clear();
    auto const is_of = [&](std::vector<double> const& of, std::size_t at) { return at < of.size() && of[at] == static_cast<double>(n); };
    for (; is_of(found, f); f += 7)
      detections.push_back(
          {static_cast<std::int64_t>(found[f + 1]), {found[f + 2], found[f + 3], found[f + 4], found[f + 5]}, found[f + 6]});
    for (; is_of(objects, o); o += 7)
      truth.push_back({static_cast<std::int64_t>(objects[o + 1]),
                       {objects[o + 2], objects[o + 3], objects[o + 4], objects[o + 5]},
                       -1,
                       objects[o + 6] != 0});
    score.add(detections, truth);
  }
  return score.scores().ap.value_or(-1);
}

void run(char const* path) {
  input in(path);
  auto const leaf      = [&] { return in.tensor().requires_grad_(true); };
  at::Tensor const map = leaf(), rois = in.tensor(), picture = in.tensor().to(at::kLong);
  at::Tensor const boxes = in.tensor(), scores = in.tensor(), clustered = in.tensor(), clustered_scores = in.tensor();
  at::Tensor const x = leaf(), offset = leaf(), mask = leaf(), weight = leaf();
  at::Tensor const anchors = in.tensor(), truth = in.tensor(), levels = in.tensor().to(at::kLong), proposals = in.tensor(),
                   logits     = in.tensor();
  at::Tensor const none       = at::zeros({truth.size(0), truth.size(1)}, levels.options());
  std::int64_t const pictures = in.whole(), classes = in.whole(), found_count = in.whole(), object_count = in.whole();
  auto const found   = in.numbers<double>(static_cast<std::size_t>(7 * found_count)),
             objects = in.numbers<double>(static_cast<std::size_t>(7 * object_count));
  auto const plain   = [](at::Tensor const& t) { return t.detach(); };
  auto const last    = [](at::Tensor const& t) {
    return t.detach().contiguous(at::MemoryFormat::ChannelsLast).requires_grad_(t.requires_grad());
  };
  at::Tensor const map_last = last(map), x_last = last(x);
  std::map<std::string, operation> const operations{
      {"roi_align_7", {[&] { return detection::roi_align(plain(map), rois, picture, .125, 7); }}},
      {"roi_align_14", {[&] { return detection::roi_align(plain(map), rois, picture, .125, 14); }}},
      {"roi_align_7_last", {[&] { return detection::roi_align(plain(map_last), rois, picture, .125, 7); }}},
      {"roi_align_7_step", {[&] { return detection::roi_align(map, rois, picture, .125, 7); }, {map}}},
      {"roi_align_7_step_last", {[&] { return detection::roi_align(map_last, rois, picture, .125, 7); }, {map_last}}},
      {"nms_2000", {[&] { return detection::nms(boxes, scores, .7); }}},
      {"nms_2000_clustered", {[&] { return detection::nms(clustered, clustered_scores, .7); }}},
      {"deformable", {[&] { return detection::deformable_conv(plain(x), plain(offset), plain(mask), plain(weight), {}, {.padding = 1}); }}},
      {"deformable_step",
       {[&] { return detection::deformable_conv(x, offset, mask, weight, {}, {.padding = 1}); }, {x, offset, mask, weight}}},
      {"deformable_step_last",
       {[&] { return detection::deformable_conv(x_last, offset, mask, weight, {}, {.padding = 1}); }, {x_last, offset, mask, weight}}},
      {"assign",
       {[&] { return detection::assign(anchors, {truth, none, none.to(at::kBool)}, {.low = .3, .high = .7, .low_quality = true}); }}},
      {"proposals", {[&] {
         auto const best = detection::best_boxes(proposals, logits, levels, .7, 1000);
         return best.index.masked_fill(best.valid.logical_not(), 0);
       }}},
      {"coco_ap", {[&] {
         return at::empty({1}, at::TensorOptions(at::kDouble))
             .fill_(average_precision(found, objects, static_cast<std::size_t>(pictures), classes));
       }}}};
  std::printf("ready %d\n", at::get_num_threads());
  std::fflush(stdout);
  std::string name;
  for (int rounds = 0; std::cin >> name >> rounds;) {
    auto const of = operations.find(name);
    if (of == operations.end()) throw c2f::input_error("no operation '" + name + "'; see detection/detection.cpp");
    double sum = 0;
    for (int i = 0; i < rounds; ++i) {
      for (at::Tensor leaf_ : of->second.leaves) leaf_.mutable_grad() = at::Tensor();
      auto const begin      = std::chrono::steady_clock::now();
      at::Tensor const made = of->second.forward();
      if (!of->second.leaves.empty()) made.sum().backward();
      std::printf("%.4f ", std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
      sum = made.to(at::kDouble).sum().item<double>();
    }
    std::printf("%.12g\n", sum);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw c2f::input_error("usage: bench_detection FILE");
    run(argv[1]);
    return 0;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
