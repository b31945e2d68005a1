// A training of a few seconds that saves a checkpoint after every step; kill.py kills it repeatedly.
//
//   tiny_training FOLDER EPOCHS        trains, or resumes; prints "begun STEPS" and at the end the SHA-256 of the final state
#include <c2f/train/checkpoint.hpp>

#include <reliability/tiny.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

struct says_begun {
  void on_start(c2f::training_start const& start) const {
    std::printf("begun %ld\n", static_cast<long>(start.done));
    std::fflush(stdout);
  }
};

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "tiny_training FOLDER EPOCHS\n");
    return 2;
  }
  try {
    c2f::stack<tiny::class_vector> model(7);
    tiny::spy end;
    c2f::checkpoints kept(words[1], {.every = 1, .last = 2, .best = 1, .score = "fine top1"});
    c2f::interrupt on_signal;
    auto const report = c2f::fit(model, tiny::data_of<tiny::class_vector>(), tiny::recipe().epochs(std::atoi(words[2])), kept, end,
                                 says_begun{}, on_signal);
    if (report.stopped) return 0;
    c2f::data::sha256 sum;
    for (auto const& tensor : end.tensors) {
      at::Tensor const bytes = tensor.contiguous();
      sum.update(bytes.const_data_ptr(), bytes.nbytes());
    }
    sum.update(end.rest.data(), end.rest.size());
    std::printf("end %s\n", sum.hex().c_str());
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
