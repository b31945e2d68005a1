// expect-error: this is no part of a c2f::bundle
#include <c2f/c2f.hpp>
#include <c2f/kinds/bundle.hpp>

#ifdef CORRECTED
struct classes : c2f::part_of<c2f::dense<3>> {
  static constexpr char const* name = "classes";
};
#else
struct classes : c2f::part_of<c2f::dense<3>> {};
#endif
using kind = c2f::bundle<classes>;
static_assert(kind::count == 1);
