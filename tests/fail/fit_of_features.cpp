// expect-error: nobody supervises what this stack predicts
// expect-error: in_task<mine>
// Feature maps have no truth, so a network that ends in them is trained under another one.
#include <c2f/c2f.hpp>

struct features {
  static constexpr char const* name = "features";
  static constexpr bool supervised  = false;
  using default_encoder             = c2f::encode::none;
  template <c2f::image_shape In>
  using output = c2f::image<8, In::height, In::width>;
};
struct mine {
  static constexpr char const* name = "mine";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::predicts<features, c2f::conv<8, 3>>;
};
struct head {
  static constexpr char const* name = "head";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::predicts<c2f::class_vector<4>, c2f::global_average_pool, c2f::linear<4>>;
  using share                       = c2f::share::features<c2f::stack<mine>>;
};
#ifdef CORRECTED
using task = head;
#else
using task = mine;
#endif

void use(c2f::stack<task>& model, c2f::data::glyphs<4> const& data) { c2f::fit(model, data, c2f::recipe::settings{}.epochs(1)); }
