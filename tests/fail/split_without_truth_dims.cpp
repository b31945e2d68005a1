// expect-error: a split has truths of one size
// expect-error: in_split<grey>
// A member that is not static is not known while compiling.
#include <c2f/data/check_split.hpp>

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

static_assert(c2f::data::checked_split<grey>);
