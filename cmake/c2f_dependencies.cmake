# Everything around the headers: what c2f stands on, and the targets that add to c2f::c2f. The build and the installed
# c2fConfig.cmake both include this file, so what a program gets depends on the machine it is built on and on nothing else.
#
#   c2f::libtorch  c2f::hana  c2f::spng      LibTorch for the CPU, Boost.Hana, libspng
#   c2f::data      c2f::c2f, threads and libspng; absent without libspng
#   c2f::gpu       c2f::c2f and LibTorch's CUDA half, so that a program can use a GPU; absent where LibTorch has none
#   c2f::cuda      c2f::gpu and the CUDA runtime, for include/c2f/cuda; absent unless the project has enabled the language CUDA
#
# C2F_CUDA=OFF leaves out c2f::gpu and c2f::cuda; ON stops where one of them is missing.

include_guard(GLOBAL)
include(${CMAKE_CURRENT_LIST_DIR}/c2f_torch.cmake)

set(C2F_CUDA AUTO CACHE STRING "Use CUDA: AUTO (where nvcc is), ON or OFF")
set_property(CACHE C2F_CUDA PROPERTY STRINGS AUTO ON OFF)

find_package(Threads REQUIRED)
c2f_find_torch()

find_path(C2F_BOOST_INCLUDE_DIR boost/hana.hpp HINTS ${Boost_ROOT} $ENV{Boost_ROOT} PATH_SUFFIXES include)
if(NOT C2F_BOOST_INCLUDE_DIR)
  message(FATAL_ERROR "c2f: Boost.Hana is missing: boost/hana.hpp was not found; "
                      "install libboost-dev, or give its folder with -DBoost_ROOT=DIR.")
endif()
add_library(c2f::hana INTERFACE IMPORTED GLOBAL)
target_include_directories(c2f::hana INTERFACE ${C2F_BOOST_INCLUDE_DIR})

# Debian's libspng-dev has no CMake package.
find_path(C2F_SPNG_INCLUDE_DIR spng.h)
find_library(C2F_SPNG_LIBRARY spng)
if(C2F_SPNG_INCLUDE_DIR AND C2F_SPNG_LIBRARY)
  add_library(c2f::spng UNKNOWN IMPORTED GLOBAL)
  set_target_properties(c2f::spng PROPERTIES
    IMPORTED_LOCATION ${C2F_SPNG_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${C2F_SPNG_INCLUDE_DIR})
  add_library(c2f::data INTERFACE IMPORTED GLOBAL)
  target_link_libraries(c2f::data INTERFACE c2f::c2f c2f::spng Threads::Threads)
endif()
mark_as_advanced(C2F_BOOST_INCLUDE_DIR C2F_SPNG_INCLUDE_DIR C2F_SPNG_LIBRARY)

if(C2F_CUDA)                                               # AUTO is true, too
  if(TARGET c2f::libtorch_cuda)
    add_library(c2f::gpu INTERFACE IMPORTED GLOBAL)
    target_link_libraries(c2f::gpu INTERFACE c2f::c2f c2f::libtorch_cuda)
  elseif(C2F_CUDA STREQUAL "ON")
    message(FATAL_ERROR "c2f: C2F_CUDA is ON, but the LibTorch in ${C2F_TORCH_ROOT} has no CUDA (no libtorch_cuda.so); "
                        "use a CUDA build of LibTorch, or -DC2F_CUDA=OFF.")
  endif()
  if(TARGET c2f::gpu AND "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)
    find_package(CUDAToolkit REQUIRED)
    add_library(c2f::cuda INTERFACE IMPORTED GLOBAL)
    target_link_libraries(c2f::cuda INTERFACE c2f::gpu CUDA::cudart)
  endif()
endif()
