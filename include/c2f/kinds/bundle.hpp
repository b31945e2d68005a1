// c2f/kinds/bundle.hpp: several predictions of one network: a kind made of kinds.
//
//   struct classes : c2f::part_of<c2f::dense<19>> { static constexpr char const* name = "classes"; };
//   struct depth : c2f::part_of<c2f::depth_map<88>> { static constexpr char const* name = "depth"; static constexpr double weight = .1; };
//   using kind = c2f::bundle<classes, depth>;
//   at::Tensor const metres = c2f::depth_map<88>::predict(kind::raw_of<depth>(raw));
//
// A part is a struct with a `name` and a `kind`; a `weight` of its loss (1), and a `loss` if it is not that of its kind. The parts are maps of
// one size, side by side:
//   raw         [N, the sum of the channels, H, W]
//   prediction  the same shape: the predictions of the parts
//   truth       float [N, the sum of the planes, H, W]: the truths of the parts, in which class numbers are exact
// The loss is the weighted sum; in a training each part's has a name of its own in the log, "fine.depth" or "depth". Metrics are those of the
// parts, "depth.abs_rel". Networks of a bundle concatenate the raw outputs of their branches (at::cat along dimension 1, in this order).
//
// Cost: views; predictions are concatenated. Errors: a part without name or kind, or whose kind is no map, is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/fwd.hpp>

#include <ATen/ops/cat.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace c2f {

/// The base of a part: its kind, and weight 1.
template <class Kind>
struct part_of {
  using kind                     = Kind;
  static constexpr double weight = 1;
};

namespace detail {
template <class P>
concept named_part = requires {
  { P::name } -> std::convertible_to<char const*>;
  { P::weight } -> std::convertible_to<double>;
  requires supervised_kind<typename P::kind>;
};

// A shape to ask kinds for their channels and planes.
using some_map = image<1, 7, 9>;
template <class Kind>
consteval std::int64_t planes_of() {
  if constexpr (requires { Kind::template truth_dims<some_map>; }) {
    constexpr auto dims = Kind::template truth_dims<some_map>;
    if constexpr (dims.size() == 2) return dims[0] == 7 && dims[1] == 9 ? 1 : 0;
    if constexpr (dims.size() == 3) return dims[1] == 7 && dims[2] == 9 ? dims[0] : 0;
  }
  return 0;
}
template <class Kind>
consteval bool is_map_kind() {
  if constexpr (requires { typename Kind::template output<some_map>; })
    return image_shape<typename Kind::template output<some_map>> && planes_of<Kind>() > 0 &&
           requires(at::Tensor const& raw) { Kind::resized(raw, 1, 1); };
  else
    return false;
}
template <class P>
consteval bool check_bundle_part() {
  static_assert(named_part<P> || mismatch<got<P>>,
                "this is no part of a c2f::bundle; write struct my_part : c2f::part_of<kind> { static constexpr char const* name = ...; }");
  if constexpr (named_part<P>)
    static_assert(is_map_kind<typename P::kind>() || mismatch<got<typename P::kind>>,
                  "the parts of a c2f::bundle are maps of the image's size, as c2f::dense is; leave out the part whose kind is none");
  return true;
}
template <class P>
struct loss_of_part {
  using type = typename P::kind::default_loss;
};
template <class P>
  requires requires { typename P::loss; }
struct loss_of_part<P> {
  using type = typename P::loss;
};
}  // namespace detail

/// See the top of this file.
template <class... Parts>
struct bundle : detail::static_check<detail::check_bundle_part<Parts>()...> {
  static constexpr char const* name      = "bundle";
  static constexpr std::int64_t count    = sizeof...(Parts);
  static constexpr std::int64_t channels = (std::int64_t{0} + ... + Parts::kind::template output<detail::some_map>::channels);
  static constexpr std::int64_t planes   = (std::int64_t{0} + ... + detail::planes_of<typename Parts::kind>());
  template <image_shape In>
  using output          = with_channels<In, channels>;
  using truth_value     = float;
  using default_encoder = encode::dense<>;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 3> truth_dims{planes, In::height, In::width};

  /// The raw output of a part, a view.
  template <class P>
  static at::Tensor raw_of(at::Tensor const& raw) {
    constexpr auto at = place<P>();
    return raw.narrow(1, at[0], at[1]);
  }
  /// The truth of a part, in the form of its kind.
  template <class P>
  static at::Tensor truth_of(at::Tensor const& truth) {
    constexpr auto at        = place<P>();
    using kind               = typename P::kind;
    constexpr bool one_plane = kind::template truth_dims<detail::some_map>.size() == 2;
    at::Tensor const found   = one_plane ? truth.select(1, at[2]) : truth.narrow(1, at[2], at[3]);
    if constexpr (std::same_as<typename kind::truth_value, std::int64_t>)
      return found.to(at::kLong);
    else
      return found;
  }

  static at::Tensor predict(at::Tensor const& raw) { return at::cat({Parts::kind::predict(raw_of<Parts>(raw))...}, 1); }
  static at::Tensor from_truth(at::Tensor const& truth) { return at::cat({Parts::kind::from_truth(truth_of<Parts>(truth))...}, 1); }
  static at::Tensor resized(at::Tensor const& raw, std::int64_t height, std::int64_t width) {
    return at::cat({Parts::kind::resized(raw_of<Parts>(raw), height, width)...}, 1);
  }

  struct default_loss {
    /// The weighted losses by the names of the parts.
    static std::vector<named_loss> each(at::Tensor const& raw, at::Tensor const& truth) {
      return {named_loss{
          Parts::name,
          detail::loss_of_part<Parts>::type::of(raw_of<Parts>(raw), truth_of<Parts>(truth)).mul(static_cast<double>(Parts::weight))}...};
    }
    static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor sum;
      for (auto const& one : each(raw, truth)) sum = sum.defined() ? sum.add(one.value) : one.value;
      return sum;
    }
  };
  /// Adds the losses of the parts to the pass of a model.
  static void add_losses(pass& p, at::Tensor const& raw) {
    for (auto& one : default_loss::each(raw, p.truth)) p.add(one.name, std::move(one.value));
  }

  struct score {
    std::int64_t samples = 0;
    void add(at::Tensor const& raw, at::Tensor const& truth) {
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (std::get<I>(scores_).add(raw_of<Parts>(raw), truth_of<Parts>(truth)), ...);
      }(std::index_sequence_for<Parts...>());
      samples += truth.size(0);
    }
    /// Name and value of each metric, such as "depth.abs_rel"; the primary one is that of the first part.
    [[nodiscard]] std::vector<std::pair<std::string, double>> values() const {
      std::vector<std::pair<std::string, double>> all;
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (append<Parts>(all, std::get<I>(scores_)), ...);
      }(std::index_sequence_for<Parts...>());
      return all;
    }
    static bool lower_is_better(std::string_view metric) { return (error_of<Parts>(metric) || ...); }

   private:
    template <class P>
    static bool error_of(std::string_view metric) {
      std::string const own = std::string(P::name) + '.';
      if constexpr (requires { P::kind::score::lower_is_better(metric); })
        return metric.starts_with(own) && P::kind::score::lower_is_better(metric.substr(own.size()));
      else
        return false;
    }
    template <class P>
    static void append(std::vector<std::pair<std::string, double>>& all, typename P::kind::score const& of) {
      for (auto const& [metric, value] : of.values()) all.emplace_back(std::string(P::name) + '.' + std::string(metric), value);
    }
    std::tuple<typename Parts::kind::score...> scores_;
  };

 private:
  // First channel, channels, first plane, planes.
  template <class P>
  static consteval std::array<std::int64_t, 4> place() {
    static_assert((std::same_as<P, Parts> || ...) || mismatch<got<P>>, "this is none of the parts of the c2f::bundle; write one of them");
    std::array<std::int64_t, 4> at{0, 0, 0, 0};
    bool found       = false;
    auto const visit = [&]<class Q>() {
      if (found) return;
      at[1] = Q::kind::template output<detail::some_map>::channels, at[3] = detail::planes_of<typename Q::kind>();
      found = std::same_as<P, Q>;
      if (!found) at[0] += at[1], at[2] += at[3];
    };
    (visit.template operator()<Parts>(), ...);
    return at;
  }
};

}  // namespace c2f
