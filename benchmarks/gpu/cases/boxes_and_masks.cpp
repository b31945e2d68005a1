// A localiser on 192x192 pixels, batch 32, and FCN-8s on 512x512, batch 1.
#include "../contender.hpp"

#include <c2f/parts/encode_dense.hpp>
#include <c2f/parts/encode_rasterize.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/networks/localiser.hpp>
#include <c2f/networks/resnet.hpp>

namespace {

template <bool Tiny>
struct boxes {
  static constexpr char const* name   = "localiser";
  static constexpr std::int64_t batch = Tiny ? 2 : 32;
  using input                         = c2f::image<3, Tiny ? 64 : 192, Tiny ? 64 : 192>;
  using network                       = c2f::localiser<c2f::resnet_features<50, 3>, c2f::boxes<1>, Tiny ? 32 : 4096, c2f::head::average>;
};

template <bool Tiny>
struct masks {
  static constexpr char const* name   = "fcn8s";
  static constexpr std::int64_t batch = 1;
  using input                         = c2f::image<3, Tiny ? 64 : 512, Tiny ? 64 : 512>;
  using network                       = c2f::fcn8s<c2f::dense<1>, Tiny ? 32 : 4096, Tiny ? 8 : 64>;
};

template <bool Tiny>
std::unique_ptr<bench::runner> make([[maybe_unused]] std::string const& name, std::string const& variant, bench::machine const& where) {
  if (name == "localiser") return bench::make<boxes<Tiny>>(variant, where);
  if (name == "fcn8s") return bench::make<masks<Tiny>>(variant, where);
  return nullptr;
}

}  // namespace

std::unique_ptr<bench::runner> bench::boxes_and_masks(std::string const& name, std::string const& variant, machine const& where,
                                                      bool tiny) {
  return tiny ? ::make<true>(name, variant, where) : ::make<false>(name, variant, where);
}
