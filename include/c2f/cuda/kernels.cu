// c2f/cuda/kernels.cu: compiles the kernels that c2f/cuda/fused.hpp launches. The CMake target c2f::cuda adds this file to whoever links
// it.
#include <c2f/cuda/tell.cuh>

namespace c2f::cuda {

template void launch_rows(tell<float> const&, std::int64_t, void*);
template void launch_rows(tell<bfloat16> const&, std::int64_t, void*);
template void launch_rows(tell_backward<float> const&, std::int64_t, void*);
template void launch_rows(tell_backward<bfloat16> const&, std::int64_t, void*);

}  // namespace c2f::cuda
