// A training of a few seconds that saves a checkpoint after every step; kill.py and kill_rejuvenation.py kill it repeatedly.
//
//   tiny_training FOLDER EPOCHS                  trains, or resumes; prints "begun STEPS" and at the end the SHA-256 of the final state
//   tiny_training FOLDER EPOCHS rejuvenation     the same with two surgeries, in stages
#include <c2f/systems/rejuvenation.hpp>
#include <c2f/train/checkpoint.hpp>

#include <reliability/tiny.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

struct says_begun {
  void on_start(c2f::training_start const& start) const {
    std::printf("begun %ld\n", static_cast<long>(start.done));
    std::fflush(stdout);
  }
};

struct growing : tiny::class_vector {
  static constexpr char const* name = "tiny-rejuvenation";
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<8, 3>, c2f::batch_norm, c2f::relu,
                                c2f::global_average_pool, c2f::linear<3>>;
};

void print(tiny::spy const& end) {
  c2f::data::sha256 sum;
  for (auto const& tensor : end.tensors) {
    at::Tensor const bytes = tensor.contiguous();
    sum.update(bytes.const_data_ptr(), bytes.nbytes());
  }
  sum.update(end.rest.data(), end.rest.size());
  std::printf("end %s\n", sum.hex().c_str());
}

/// lambda is searched, with large steps.
void rejuvenate(char const* folder, int epochs) {
  c2f::stack<growing> model(7);
  tiny::spy end;
  c2f::checkpoints kept(folder, {.every = 1, .last = 2});
  c2f::interrupt on_signal;
  auto const recipe = c2f::recipe::settings{}.batch(4).learning_rate(0.05).weight_decay(1e-3).quiet();
  auto const report = c2f::systems::fit_rejuvenated(model, tiny::data_of<growing>(),
                                                    {.sparse      = c2f::recipe::settings(recipe).epochs(epochs),
                                                     .dense       = c2f::recipe::settings(recipe).epochs(2),
                                                     .target      = 0.8,
                                                     .lambda_step = 0.2,
                                                     .times       = 2,
                                                     .surgery     = {.dead = 0.3, .rescale = true}},
                                                    kept, end, says_begun{}, on_signal);
  if (!report.stopped) print(end);
}

}  // namespace

int main(int count, char** words) {
  bool const stages = count == 4 && std::string_view(words[3]) == "rejuvenation";
  if (count != 3 && !stages) {
    std::fprintf(stderr, "tiny_training FOLDER EPOCHS [rejuvenation]\n");
    return 2;
  }
  try {
    if (stages) return rejuvenate(words[1], std::atoi(words[2])), 0;
    c2f::stack<tiny::class_vector> model(7);
    tiny::spy end;
    c2f::checkpoints kept(words[1], {.every = 1, .last = 2, .best = 1, .score = "fine top1"});
    c2f::interrupt on_signal;
    auto const report = c2f::fit(model, tiny::data_of<tiny::class_vector>(), tiny::recipe().epochs(std::atoi(words[2])), kept, end,
                                 says_begun{}, on_signal);
    if (report.stopped) return 0;
    print(end);
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
