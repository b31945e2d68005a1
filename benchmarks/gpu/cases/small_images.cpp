// Coarse-to-fine ResNets on 32x32 pixels, 100 classes, batch 128.
#include "../contender.hpp"

#include <c2f/parts/encode_tile.hpp>
#include <c2f/networks/resnet_cifar.hpp>

namespace {

template <int Depth, bool Tiny>
struct cifar {
  static constexpr char const* name   = "cifar100-resnet";
  static constexpr std::int64_t batch = Tiny ? 4 : 128;
  using input                         = c2f::image<3, 32, 32>;
  using network                       = c2f::resnet_cifar<Depth, c2f::class_vector<Tiny ? 10 : 100>>;
};

template <bool Tiny>
std::unique_ptr<bench::runner> make([[maybe_unused]] std::string const& name, std::string const& variant, bench::machine const& where) {
  if (name == "resnet20") return bench::make<cifar<20, Tiny>>(variant, where);
  if (name == "resnet56") return bench::make<cifar<56, Tiny>>(variant, where);
  if (name == "resnet110") return bench::make<cifar<110, Tiny>>(variant, where);
  return nullptr;
}

}  // namespace

std::unique_ptr<bench::runner> bench::small_images(std::string const& name, std::string const& variant, machine const& where, bool tiny) {
  return tiny ? ::make<true>(name, variant, where) : ::make<false>(name, variant, where);
}
