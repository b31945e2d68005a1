// expect-error: the split's read is not const
// expect-error: in_split<grey>
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<1, 8, 8>;
  using network = c2f::predicts<c2f::class_vector<2>, c2f::flatten, c2f::linear<2>>;
};
struct grey {  // a split: black pictures of class 0, white ones of class 1
  using image       = c2f::image<1, 8, 8>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t size() const { return 1000; }
  std::string name() const { return "grey"; }
#ifdef CORRECTED
  void read(std::int64_t id, c2f::random_stream*, float* pixels, truth_value* truth) const {
    std::fill_n(pixels, 64, static_cast<float>(*truth = id % 2));
  }
#else
  void read(std::int64_t id, c2f::random_stream*, float* pixels, truth_value* truth) {
    std::fill_n(pixels, 64, static_cast<float>(*truth = id % 2));
  }
#endif
};
struct data {
  grey train, test;
};

int main() {
  c2f::stack<mine> model;
  c2f::fit(model, data(), c2f::recipe::cifar{}.epochs(1));
}
