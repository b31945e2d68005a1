// expect-error: this is none of the parts of the c2f::bundle
#include <c2f/c2f.hpp>
#include <c2f/kinds/bundle.hpp>
#include <c2f/kinds/field.hpp>

struct classes : c2f::part_of<c2f::dense<3>> {
  static constexpr char const* name = "classes";
};
struct offsets : c2f::part_of<c2f::field<2>> {
  static constexpr char const* name = "offsets";
};

#ifdef CORRECTED
using kind = c2f::bundle<classes, offsets>;
#else
using kind = c2f::bundle<classes>;
#endif
at::Tensor found(at::Tensor const& raw) { return kind::raw_of<offsets>(raw); }
