// Changes of the colours and rotations of a picture, for a comparison with torchvision: parity_augment all IN OUT. IN has a `picture`
// [side, side, 3] of 0 ... 255, and strengths by name.
#include "exchange.hpp"

#include <c2f/data/augment.hpp>

#include <span>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  parity::tensors const given = parity::read(argv[2]);
  parity::tensors made;
  at::Tensor const picture = given.at("picture").contiguous();
  std::int64_t const side  = picture.size(0);
  auto const with          = [&](std::string const& name, auto const& change) {
    at::Tensor changed = picture.clone();
    change(std::span(changed.mutable_data_ptr<float>(), static_cast<std::size_t>(changed.numel())));
    made[name] = changed;
  };
  using namespace c2f::data;
  for (auto const& [name, value] : given) {
    if (value.dim() != 0) continue;
    float const strength   = value.item<float>();
    std::string const what = name.substr(0, name.find(' '));
    if (what == "brightness") with(name, [&](auto rgb) { adjust_brightness(rgb, strength); });
    if (what == "contrast") with(name, [&](auto rgb) { adjust_contrast(rgb, strength); });
    if (what == "saturation") with(name, [&](auto rgb) { adjust_saturation(rgb, strength); });
    if (what == "hue") with(name, [&](auto rgb) { adjust_hue(rgb, strength); });
    if (what == "sharpness") with(name, [&](auto rgb) { adjust_sharpness(rgb, side, side, strength); });
    if (what == "posterize") with(name, [&](auto rgb) { posterize(rgb, static_cast<int>(strength)); });
    if (what == "solarize") with(name, [&](auto rgb) { solarize(rgb, strength); });
    if (what == "autocontrast") with(name, [&](auto rgb) { autocontrast(rgb); });
    if (what == "equalize") with(name, [&](auto rgb) { equalize(rgb); });
    if (what == "rotate" || what == "shear")
      with(name, [&](auto rgb) {
        std::vector<std::uint8_t> bytes(rgb.begin(), rgb.end());
        view seen;
        double const half = static_cast<double>(side) / 2;
        seen.then         = what == "rotate" ? affine::rotation(strength, half, half) : affine{.xy = strength};
        seen.picture(bytes, side, rgb.data());
      });
  }
  parity::write(argv[3], made);
}
