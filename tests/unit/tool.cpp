// The parts of the program c2f: unused classes have no effect on a training, and the names of tasks.
#if __has_include(<CLI/CLI.hpp>)
#include "c2f/tasks.hpp"

#include <c2f/conformance.hpp>

#include "catch.hpp"

namespace {

template <std::int64_t Classes>
struct classes {
  using input   = c2f::image<3, 16, 16>;
  using network = tool::of_used_classes<c2f::resnet_cifar<8, c2f::class_vector<Classes>>>;
};
template <std::int64_t Classes>
struct masks {
  using input   = c2f::image<3, 16, 16>;
  using network = tool::of_used_classes<c2f::unet<1, 4, c2f::dense<Classes>>>;
};

struct net {
  static constexpr char const* kind = "classes";
  static constexpr char const* name = "net";
  template <std::int64_t Classes>
  using task = classes<Classes>;
};

/// The small model's tensors become the first rows of the large one's.
template <class Large, class Small>
void copy_into(Large& large, Small const& small) {
  std::map<std::string, at::Tensor> from;
  c2f::for_each_tensor(small, [&](std::string const& path, c2f::state_tensor const& each, auto const&) { from[path] = each.tensor(); });
  c2f::for_each_tensor(large, [&](std::string const& path, c2f::state_tensor& each, auto const&) {
    at::Tensor to = each.tensor().detach();
    if (path.ends_with(".used")) return;
    for (std::int64_t d = 0; d < to.dim(); ++d) to = to.narrow(d, 0, from.at(path).size(d));
    to.copy_(from.at(path).detach());
  });
}

template <class Small, class Large>
void require_equal_training(at::Tensor const& truth, double t) {
  c2f::stack<Small> small(1);
  c2f::stack<Large> large(2);
  copy_into(large, small);
  tool::use_classes(large, 3);
  c2f::detail::to_double(small), c2f::detail::to_double(large);
  at::Tensor const images = c2f::detail::sample_numbers({4, 3, 16, 16}, 1).to(at::kDouble);
  std::vector<std::int64_t> const ids{0, 1, 2, 3};
  auto const step = [&](auto const& model) {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = t, .seed = 1, .epoch = 0, .ids = ids};
    model(images, p);
    at::Tensor const loss = p.loss();
    loss.backward();
    return loss.template item<double>();
  };
  double const a = step(small), b = step(large);
  CAPTURE(a, b);
  REQUIRE(std::abs(a - b) < 1e-6);
  std::map<std::string, at::Tensor> gradients;
  c2f::for_each_tensor(small, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained) gradients[path] = each.tensor().grad();
  });
  c2f::for_each_tensor(large, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (!traits.trained) return;
    CAPTURE(path);
    at::Tensor const all = each.tensor().grad();
    at::Tensor own       = all;
    for (std::int64_t d = 0; d < own.dim(); ++d) own = own.narrow(d, 0, gradients.at(path).size(d));
    double const error = own.sub(gradients.at(path)).norm().item<double>(), size = gradients.at(path).norm().item<double>();
    CAPTURE(error, size);
    REQUIRE(error <= 1e-5 * size + 1e-8);                                                       // losses are computed in float
    REQUIRE(std::abs(all.abs().sum().item<double>() - own.abs().sum().item<double>()) < 1e-6);  // nothing beyond the used classes
  });
  at::Tensor const found = large(images, c2f::eval).answer.softmax(1), wanted = small(images, c2f::eval).answer.softmax(1);
  REQUIRE(found.narrow(1, 0, 3).allclose(wanted, 1e-4, 1e-5));
  REQUIRE(found.narrow(1, 3, found.size(1) - 3).eq(0).all().item<bool>());
}

}  // namespace

TEST_CASE("classes beyond those of the data change neither losses, gradients nor answers", "[tool]") {
  at::Tensor const labels = at::arange(4, at::TensorOptions(at::kLong)).remainder(3);
  at::Tensor const pixels = at::arange(4 * 16 * 16, at::TensorOptions(at::kLong)).remainder(3).view({4, 16, 16});
  for (double const t : {0.0, 0.5, 1.0}) {
    require_equal_training<classes<3>, classes<10>>(labels, t);
    require_equal_training<masks<3>, masks<12>>(pixels, t);
  }
}

TEST_CASE("names of tasks are made of network, number of classes and variant", "[tool]") {
  using counts     = tool::numbers<10, 1000>;
  auto const names = counts::names<net>();
  REQUIRE(names == std::vector<std::string>{"classes-net-10-bl", "classes-net-10-pt", "classes-net-1000-bl", "classes-net-1000-pt"});
  REQUIRE(counts::at_least(1) == 10);
  REQUIRE(counts::at_least(10) == 10);
  REQUIRE(counts::at_least(11) == 1000);
  REQUIRE(counts::at_least(1001) == 0);
}
#endif
