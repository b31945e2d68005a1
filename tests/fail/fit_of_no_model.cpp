// expect-error: this is neither a c2f::stack nor a model
// expect-error: got<mine>
// The call takes a mode and not the pass, so that no loss can be added.
#include <c2f/c2f.hpp>

struct mine {
  static constexpr char const* name = "mine";
  using input                       = c2f::image<3, 32, 32>;
  using kind                        = c2f::class_vector<4>;
  c2f::network_on<c2f::resnet_cifar<8, kind>, input> net;
  C2F_MEMBERS(net);
#ifdef CORRECTED
  at::Tensor operator()(at::Tensor const& images, c2f::pass& p) const {
    at::Tensor raw = net(images, p.mode);
    if (p.training()) p.add("loss", kind::default_loss::of(raw, p.truth));
    return raw;
  }
#else
  at::Tensor operator()(at::Tensor const& images, c2f::mode m) const { return net(images, m); }
#endif
};

void use(mine& model, c2f::data::glyphs<4> const& data) { c2f::fit(model, data, c2f::recipe::settings{}.epochs(1)); }
