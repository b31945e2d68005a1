// expect-error: a split has truths of one size
// expect-error: in_split<grey>
// A member that is not static is not known while compiling.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<1, 8, 8>;
  using network = c2f::predicts<c2f::class_vector<2>, c2f::flatten, c2f::linear<2>>;
};
struct grey {  // a split: black pictures of class 0, white ones of class 1
  using image       = c2f::image<1, 8, 8>;
  using truth_value = std::int64_t;
#ifdef CORRECTED
  static constexpr std::array<std::int64_t, 0> truth_dims{};
#else
  std::array<std::int64_t, 0> truth_dims{};
#endif
  std::int64_t size() const { return 1000; }
  std::string name() const { return "grey"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, truth_value* truth) const {
    std::fill_n(pixels, 64, static_cast<float>(*truth = id % 2));
  }
};

auto accuracy(c2f::stack<mine> const& model) { return c2f::evaluate(model, grey{}); }
