// A project outside c2f: its own architecture and encoder, checked by c2f's conformance tests, used in a task and trained.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <cstdio>

// An architecture: a depthwise and a pointwise convolution, as in MobileNet, with K output classes. It is a struct with `on<In>`, which
// lists its members and declares its output shape.
template <std::int64_t Width, class Kind>
struct separable {
  using kind = Kind;

  template <c2f::shape In>
  struct on {
    using stem   = c2f::network_on<c2f::conv<Width, 3, 2>, In>;
    using point  = c2f::network_on<c2f::conv<2 * Width, 1>, typename stem::output>;
    using pooled = c2f::network_on<c2f::global_average_pool, typename point::output>;
    using output = typename Kind::template output<In>;

    stem conv1;
    c2f::network_on<c2f::batch_norm, typename stem::output> bn1;
    c2f::parameter<c2f::initial::he_normal, Width, 1, 3, 3> depthwise;  // a parameter
    point pointwise;
    c2f::network_on<c2f::batch_norm, typename point::output> bn2;
    pooled pool;
    c2f::network_on<c2f::linear<output::channels>, typename pooled::output> fc;
    C2F_MEMBERS(conv1, bn1, depthwise, pointwise, bn2, pool, fc);

    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const y = bn1(conv1(x, m), m).relu();
      at::Tensor const z = at::conv2d(y, depthwise.as(y), {}, 1, 1, 1, Width);
      return fc(pool(bn2(pointwise(z, m), m).relu(), m), m);
    }
  };
};

// An encoder: each class has a learnt colour; z is the image plus the mean colour under the conditioning y.
struct tint {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = Like;
    c2f::parameter<c2f::initial::uniform<>, Like::channels, Kind::classes> colours;
    C2F_MEMBERS(colours);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const {
      return x.add(at::linear(y, colours.as(y)).unsqueeze(2).unsqueeze(3));
    }
  };
};

struct tinted {
  static constexpr char const* name = "tinted";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = separable<16, c2f::class_vector<8>>;
  using encoder                     = tint;
};
static_assert(c2f::task<tinted>);

template <class Part>
bool conforms(char const* name) {
  auto const report = c2f::conformance<Part>();
  std::printf("%s: %d laws, %zu broken\n", name, report.laws(), report.broken().size());
  for (auto const& law : report.broken()) std::printf("  %s\n", law.c_str());
  return static_cast<bool>(report);
}

int main() {
  bool const conforming = conforms<separable<16, c2f::class_vector<10>>>("separable") && conforms<tint>("tint");

  c2f::stack<tinted> model;
  auto const report =
      c2f::fit(model, c2f::data::glyphs<8>({.train = 400, .test = 100, .seed = 1}), c2f::recipe::settings{}.epochs(8).batch(40));
  for (auto const& [stage, values] : report.epochs.back().scores)
    std::printf("%s %s %.1f %%\n", stage.c_str(), values[0].first.c_str(), 100 * values[0].second);
  return conforming ? 0 : 1;
}
