// Each law of parts is broken by a part that violates it.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/rand.h>

#include "catch.hpp"

namespace {

template <class Part>
void breaks(std::string const& law) {
  auto const report = c2f::conformance<Part>();
  std::string broken;
  for (auto const& each : report.broken()) broken += each + '\n';
  CAPTURE(law, broken);
  REQUIRE(broken.find(law) != std::string::npos);
}

// Architectures, each of which multiplies by a weight.
struct counted {
  static double draw(c2f::random_stream&, std::span<std::int64_t const>, std::int64_t) {
    static double count = 0;
    return count += 1;
  }
};
template <class Self, class Initial = c2f::initial::ones>
struct scales {
  template <class In>
  struct on {
    using output = In;
    c2f::parameter<Initial, 1> weight;
    c2f::buffer<c2f::initial::zeros, 1> seen;
    C2F_MEMBERS(weight, seen);
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return Self::of(x, *this); }
  };
};
struct other_values : scales<other_values, counted> {
  static at::Tensor of(at::Tensor const& x, auto const& net) { return x.mul(net.weight.as(x)); }
};
struct random_inference : scales<random_inference> {
  static at::Tensor of(at::Tensor const& x, auto const& net) { return x.mul(net.weight.as(x)).add(at::rand({1}).to(x.scalar_type())); }
};
struct inference_counts : scales<inference_counts> {
  static at::Tensor of(at::Tensor const& x, auto const& net) {
    net.seen.tensor().add_(1);
    return x.mul(net.weight.as(x));
  }
};
struct wrong_derivative : scales<wrong_derivative> {
  static at::Tensor of(at::Tensor const& x, auto const& net) { return x.mul(net.weight.as(x).add(net.weight.as(x).detach())); }
};
struct infinite_derivative : scales<infinite_derivative, c2f::initial::zeros> {
  static at::Tensor of(at::Tensor const& x, auto const& net) { return x.mul(net.weight.as(x).sqrt()); }
};
struct wrong_count {
  template <c2f::shape In>
  struct on {
    using output = In;
    c2f::parameter<c2f::initial::ones, 1> weight;
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      f("weight", self.weight);
    }
    static constexpr std::int64_t count_of_parameters() { return 2; }
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.mul(weight.as(x)); }
  };
};
struct shared_copies {
  template <c2f::shape In>
  struct on {
    using output = In;
    c2f::parameter<c2f::initial::ones, 1> weight;
    C2F_MEMBERS(weight);
    on() = default;
    on(on const& other) { weight.assign(other.weight.tensor()); }
    on& operator=(on const&) = default;
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.mul(weight.as(x)); }
  };
};

// Encoders.
struct map_not_declared {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = c2f::no_map;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& y, at::Tensor const&, c2f::pass&) const { return y; }
  };
};
struct not_a_number {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = Like;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const { return x.mul(y.sum(1).view({-1, 1, 1, 1})).log(); }
  };
};
struct detaches {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = Like;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const {
      return x.mul(y.detach().select(1, 0).view({-1, 1, 1, 1}));
    }
  };
};

// Sources and a combine.
template <int What>
struct source {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, c2f::pass&) const {
      if constexpr (What == 0) return prediction.narrow(1, 0, 2);
      if constexpr (What == 1) return prediction.add(at::rand({1}));
      return prediction.sub(truth.mean(0, true));
    }
  };
};
struct one_number {
  template <c2f::output_kind Kind, c2f::shape F>
  struct on {
    C2F_MEMBERS();
    c2f::combined operator()(at::Tensor const&, at::Tensor const& coarse, at::Tensor const& fine, c2f::pass&) const {
      return {coarse.sum(1), fine};
    }
  };
};

using c2f::step;
template <class... Steps>
using steps = c2f::schedule::steps<c2f::by::epoch, Steps...>;

}  // namespace

TEST_CASE("each law of networks is broken by one that violates it") {
  breaks<other_values>("initial values are a function of the seed");
  breaks<random_inference>("inference is a function");
  breaks<inference_counts>("inference changes nothing");
  breaks<wrong_derivative>("a gradient is the derivative");
  breaks<infinite_derivative>("'weight' got one that is not finite");
  breaks<wrong_count>("parameter_count is 2, but the network has 1");
  breaks<shared_copies>("copies are independent");
}

TEST_CASE("each law of encoders, sources, combines and schedules is broken by one that violates it") {
  breaks<map_not_declared>("the encoder declares no map, but gave one");
  breaks<not_a_number>("z is finite");
  breaks<detaches>("a gradient reaches the prediction");
  breaks<source<0>>("the conditioning has the shape of a prediction");
  breaks<source<1>>("two calls gave different results");
  breaks<source<2>>("its result for a sample changed with the batch");
  breaks<one_number>("the combined output has the shape of both outputs");
  breaks<steps<step<0, 0.5>, step<10, 1.5>>>("the schedule leaves it");
  breaks<steps<step<0, 1>, step<10, 0>>>("t never falls");
  breaks<steps<step<0, 0.5>>>("the schedule never reaches it");
}
