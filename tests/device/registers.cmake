# Compiles the kernels for Hopper and refuses one whose numbers do not stay in registers: an array that is read at a place which is not
# constant, or one that is too large, goes to memory, and the kernel is slower without a word.
#   cmake -DNVCC=... -DHOST=... -DINCLUDE=... -DOUT=FILE -P registers.cmake

execute_process(
  COMMAND ${NVCC} -ccbin ${HOST} -std=c++20 -O3 --expt-relaxed-constexpr -gencode=arch=compute_90a,code=sm_90a -Xptxas -v -I${INCLUDE}
          -cubin -o ${OUT} ${INCLUDE}/c2f/cuda/kernels/kernels.cu
  OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nvcc does not compile the kernels:\n${said}")
endif()
string(REGEX MATCHALL "Function properties for [^\n]+\n[^\n]+stack frame[^\n]+" kernels "${said}")
list(LENGTH kernels count)
if(count LESS 40)
  message(FATAL_ERROR "the kernels of kernels.cu were not found in what ptxas says: ${count} of them")
endif()
list(FILTER kernels EXCLUDE REGEX "\n *0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")
if(kernels)
  list(JOIN kernels "\n" kernels)
  message(FATAL_ERROR "kernels that use memory for what should be in registers:\n${kernels}")
endif()
message(STATUS "${count} kernels, all in registers")
