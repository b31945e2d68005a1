// expect-error: the parts of a c2f::bundle are maps of the image's size
#include <c2f/c2f.hpp>
#include <c2f/kinds/bundle.hpp>

#ifdef CORRECTED
using what = c2f::dense<3>;
#else
using what = c2f::class_vector<3>;
#endif
struct classes : c2f::part_of<what> {
  static constexpr char const* name = "classes";
};
using kind = c2f::bundle<classes>;
static_assert(kind::count == 1);
