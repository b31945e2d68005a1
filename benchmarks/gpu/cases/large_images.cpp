// Coarse-to-fine ResNets on 224x224 pixels, 1,000 classes, batch 256.
#include "../contender.hpp"

#include <c2f/parts/encode_tile.hpp>
#include <c2f/networks/resnet.hpp>

namespace {

template <int Depth, bool Tiny>
struct imagenet {
  static constexpr char const* name   = "imagenet-resnet";
  static constexpr std::int64_t batch = Tiny ? 2 : 256;
  using input                         = c2f::image<3, Tiny ? 32 : 224, Tiny ? 32 : 224>;
  using network                       = c2f::resnet<Depth, c2f::class_vector<Tiny ? 10 : 1000>>;
};

template <bool Tiny>
std::unique_ptr<bench::runner> make([[maybe_unused]] std::string const& name, std::string const& variant, bench::machine const& where) {
  if (name == "resnet18") return bench::make<imagenet<18, Tiny>>(variant, where);
  if (name == "resnet50") return bench::make<imagenet<50, Tiny>>(variant, where);
  return nullptr;
}

}  // namespace

std::unique_ptr<bench::runner> bench::large_images(std::string const& name, std::string const& variant, machine const& where, bool tiny) {
  return tiny ? ::make<true>(name, variant, where) : ::make<false>(name, variant, where);
}
