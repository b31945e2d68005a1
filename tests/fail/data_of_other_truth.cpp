// expect-error: the data's truth is not what the task's networks predict
// expect-error: in_split<grey>
// expect-error: got<c2f::truth_of<float>
// expect-error: wanted<c2f::truth_of<long
// The truth of a class vector is an index, std::int64_t.
#include <c2f/c2f.hpp>

struct grey {  // a split: black pictures of class 0, white ones of class 1
  using image = c2f::image<1, 8, 8>;
#ifdef CORRECTED
  using truth_value = std::int64_t;
#else
  using truth_value = float;
#endif
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t size() const { return 1000; }
  std::string name() const { return "grey"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, truth_value* truth) const {
    std::fill(pixels, pixels + 64, static_cast<float>(*truth = static_cast<truth_value>(id % 2)));
  }
};
struct mine {
  using input   = c2f::image<1, 8, 8>;
  using network = c2f::predicts<c2f::class_vector<2>, c2f::flatten, c2f::linear<2>>;
};

auto accuracy(c2f::stack<mine> const& model) { return c2f::evaluate(model, grey{}); }
