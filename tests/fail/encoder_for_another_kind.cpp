// expect-error: the encoder cannot encode what the networks predict
// expect-error: got<c2f::encode::tile<.*wanted<heat>
// c2f::encode::tile copies a vector to every pixel; a prediction that is a map needs no tiling.
#include <c2f/c2f.hpp>

struct as_it_is {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = c2f::with_channels<Like, 1>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& y, at::Tensor const&, c2f::pass&) const { return y; }
  };
};
struct squared_error {
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) { return raw.sub(truth).square().mean(); }
};
struct heat {  // one number a pixel
  static constexpr char const* name = "heat";
  template <c2f::image_shape In>
  using output      = c2f::with_channels<In, 1>;
  using truth_value = float;
#ifdef CORRECTED
  using default_encoder = as_it_is;
#else
  using default_encoder = c2f::encode::tile<>;
#endif
  using default_loss = squared_error;
  struct score {
    void add(at::Tensor const&, at::Tensor const&) {}
    std::vector<std::pair<char const*, double>> values() const { return {}; }
  };
  static at::Tensor predict(at::Tensor const& raw) { return raw; }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth; }
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::predicts<heat, c2f::conv<1, 3>>;
};
static_assert(c2f::task<mine>);
