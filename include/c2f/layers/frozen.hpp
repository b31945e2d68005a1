// c2f/layers/frozen.hpp: a network that is used and not trained.
//
//   using network = c2f::coarse_fine<c2f::frozen<backbone>, backbone>;      // the coarse network stays as it was loaded
//   using network = c2f::predicts<c2f::class_vector<10>, c2f::frozen<features>, c2f::linear<10>>;      // a new head on old features
//   using share   = c2f::share::features<c2f::frozen<features>>;            // under both networks
//
// The same architecture under the same paths, so what was trained without c2f::frozen is loaded into it by name. Its parameters ask for no
// gradient, so no optimiser moves them; it is always run as in inference, so running statistics stay and nothing is dropped.
// Gradients go through it to what stands before it (the encoder). It counts no parameters.
#pragma once

#include <c2f/core/architecture.hpp>

namespace c2f {

namespace detail {
template <class Architecture>
struct kind_of {};
template <class Architecture>
  requires requires { typename Architecture::kind; }
struct kind_of<Architecture> {
  using kind = typename Architecture::kind;
};
}  // namespace detail

template <class Architecture>
struct frozen : detail::kind_of<Architecture> {
  template <shape In>
  struct on : network_on<Architecture, In> {
    using trainable = network_on<Architecture, In>;
    using output    = typename trainable::output;

    at::Tensor operator()(at::Tensor const& x, mode) const { return trainable::operator()(x, eval); }

    void walk_tensors(std::string const& path, detail::tensor_visitor const& f) {
      auto untrained = [&](std::string const& name, state_tensor& each, state_traits traits) {
        traits.trained = false;
        f(name, each, traits);
      };
      detail::tensor_visitor visitor(untrained);
      visitor.seed = f.seed;
      detail::walk(static_cast<trainable&>(*this), path, visitor);
    }
    void reset(std::uint64_t, std::string const&) {}  // what is inside gets its values as ever
    static constexpr std::int64_t count_of_parameters() { return 0; }
  };
};

}  // namespace c2f
