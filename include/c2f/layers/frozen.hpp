// c2f/layers/frozen.hpp: a network that is not trained.
//
//   using network = c2f::coarse_fine<c2f::frozen<backbone>, backbone>;      // the coarse network keeps its loaded parameters
//   using network = c2f::predicts<c2f::class_vector<10>, c2f::frozen<features>, c2f::linear<10>>;      // a new head on trained features
//   using share   = c2f::share::features<c2f::frozen<features>>;            // below both networks
//
// The same architecture, which may be a stack, with the same paths, so weights trained without c2f::frozen are loaded into it by name. Its
// tensors are not trained (traits.trained is false, no requires_grad), and it always runs in c2f::eval: running statistics are constant and
// dropout is off. Gradients pass through it to its input (the encoder). Its parameter count is 0.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/pass.hpp>

#include <utility>

namespace c2f {

namespace detail {
template <class Architecture>
struct kind_of {};
template <class Architecture>
  requires requires { typename Architecture::kind; }
struct kind_of<Architecture> {
  using kind = typename Architecture::kind;
};

/// Makes a pass one of c2f::eval, for its lifetime.
class eval_scope {
 public:
  explicit eval_scope(pass& p) : pass_(p), before_(std::exchange(p.mode, eval)) {}
  eval_scope(eval_scope const&)            = delete;
  eval_scope& operator=(eval_scope const&) = delete;
  ~eval_scope() { pass_.mode = before_; }

 private:
  pass& pass_;
  mode before_;
};
}  // namespace detail

template <class Architecture>
struct frozen : detail::kind_of<Architecture> {
  template <shape In>
  struct on : network_on<Architecture, In> {
    using trainable                         = network_on<Architecture, In>;
    using output                            = typename trainable::output;
    /// It adds no losses, also where it is a stack: the stack around it adds that of its output, as of any network.
    static constexpr bool supervises_itself = false;

    auto operator()(value_of<In> const& x, mode) const { return trainable::operator()(x, eval); }
    /// With the side outputs of the network.
    auto operator()(value_of<In> const& x, pass& p) const
      requires detail::wants_pass<trainable, value_of<In>>
    {
      detail::eval_scope const scope(p);
      return trainable::operator()(x, p);
    }

    void walk_tensors(std::string const& path, detail::tensor_visitor const& f) {
      auto untrained = [&](std::string const& of, state_tensor& each, state_traits traits) {
        traits.trained = false;
        traits.frozen  = true;
        f(of, each, traits);
      };
      detail::tensor_visitor visitor(untrained);
      visitor.seed = f.seed;
      detail::walk(static_cast<trainable&>(*this), path, visitor);
    }
    void reset(std::uint64_t, std::string const&) {}  // the visitor initialises the inner tensors
    static constexpr std::int64_t count_of_parameters() { return 0; }
  };
};

}  // namespace c2f
