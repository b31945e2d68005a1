# Compiles the kernels for Hopper and fails where a kernel uses local memory: an array that is indexed by a number that is not a constant,
# or that is too large, is not kept in registers, and the kernel is slower without a warning.
#   cmake -DNVCC=... -DHOST=... -DINCLUDE=... -DOUT=FILE -P registers.cmake

execute_process(
  COMMAND ${NVCC} -ccbin ${HOST} -std=c++20 -O3 --expt-relaxed-constexpr -gencode=arch=compute_90a,code=sm_90a -Xptxas -v -I${INCLUDE}
          -cubin -o ${OUT} ${INCLUDE}/c2f/cuda/kernels/kernels.cu
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nvcc does not compile the kernels:\n${output}")
endif()
string(REGEX MATCHALL "Function properties for [^\n]+\n[^\n]+stack frame[^\n]+" kernels "${output}")
list(LENGTH kernels count)
if(count LESS 40)
  message(FATAL_ERROR "the kernels of kernels.cu were not found in ptxas's output: ${count} of them")
endif()
list(FILTER kernels EXCLUDE REGEX "\n *0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")
if(kernels)
  list(JOIN kernels "\n" kernels)
  message(FATAL_ERROR "kernels that use local memory:\n${kernels}")
endif()
message(STATUS "${count} kernels, all in registers")
