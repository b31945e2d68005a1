// expect-error: c2f::data::loader stacks images into one tensor
// Pictures of different sizes do not form a batch; resize them in 'read'.
#include <c2f/data/loader.hpp>

struct scenes {
#ifdef CORRECTED
  using image = c2f::image<3, 256, 256>;
#else
  using image = c2f::image<3, c2f::dynamic, c2f::dynamic>;
#endif
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t size() const { return 0; }
  std::string name() const { return "scenes"; }
  void read(std::int64_t, c2f::random_stream*, float*, std::int64_t*) const {}
};
c2f::data::loader batches{scenes{}};
