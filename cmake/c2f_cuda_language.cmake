# Enables the language CUDA as C2F_CUDA requests; reports in one line why it is not enabled.

set(C2F_CUDA AUTO CACHE STRING "Use CUDA: AUTO (where nvcc is), ON or OFF")
if(NOT C2F_CUDA)
  return()
endif()

# One architecture: machine code for the GPU of this machine, with architecture-specific instructions on Hopper (sm_90a); without a GPU
# PTX for Ampere and later.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND "$ENV{CUDAARCHS}" STREQUAL "")
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE capability ERROR_QUIET RESULT_VARIABLE rc)
  if(rc STREQUAL "0" AND capability MATCHES "^([0-9]+)[.]([0-9]+)")
    set(CMAKE_CUDA_ARCHITECTURES ${CMAKE_MATCH_1}${CMAKE_MATCH_2})
    if(CMAKE_CUDA_ARCHITECTURES EQUAL 90)
      string(APPEND CMAKE_CUDA_ARCHITECTURES a)
    endif()
    string(APPEND CMAKE_CUDA_ARCHITECTURES -real)
  else()
    set(CMAKE_CUDA_ARCHITECTURES 80-virtual)
  endif()
endif()
include(CheckLanguage)
check_language(CUDA)
set(why "")
if(NOT CMAKE_CUDA_COMPILER)
  set(why "no working nvcc was found")
else()
  enable_language(CUDA)
  if(NOT "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES) # CMake 3.25 with nvcc 13
    set(why "CMake ${CMAKE_VERSION} knows no C++20 for nvcc ${CMAKE_CUDA_COMPILER_VERSION} ('pip install cmake' has a newer one)")
  endif()
endif()
if(why)
  if(C2F_CUDA STREQUAL "ON")
    message(FATAL_ERROR "c2f: C2F_CUDA is ON, but ${why}; correct that, or use -DC2F_CUDA=OFF.")
  endif()
  message(STATUS "c2f: without c2f::cuda: ${why}")
endif()
