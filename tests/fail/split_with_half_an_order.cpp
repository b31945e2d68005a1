// expect-error: a split that composes its batches
// expect-error: in_split<grey>
#include <c2f/data/check_split.hpp>

struct grey {  // a split: black pictures of class 0, white ones of class 1
  using image       = c2f::image<1, 8, 8>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t size() const { return 1000; }
  std::string name() const { return "grey"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, truth_value* truth) const {
    std::fill_n(pixels, 64, static_cast<float>(*truth = id % 2));
  }
  std::int64_t batches(std::int64_t batch) const { return 2000 / batch; }
#ifdef CORRECTED
  std::vector<std::int64_t> order(std::uint64_t, std::uint64_t, std::int64_t batch) const {
    return std::vector<std::int64_t>(batches(batch) * batch);
  }
#else
  std::vector<std::int64_t> order(std::uint64_t, std::uint64_t) const { return {}; }
#endif
};
static_assert(c2f::data::checked_split<grey>);
