# The dependencies of c2f, and the targets that extend c2f::c2f. Included by the build and by the installed c2fConfig.cmake, so the targets
# depend only on the machine on which a program is built.
#
#   c2f::libtorch  c2f::hana                 LibTorch for the CPU, Boost.Hana
#   c2f::data      c2f::c2f, threads and the libraries that read files: libspng, and if found libjpeg, pugixml, niftiio, libzip,
#                  nlohmann/json and libcrypto; absent without libspng. A c2f header whose library is missing does not compile. What is
#                  missing is printed with the names of its Debian packages.
#   c2f::dist      c2f::c2f and Gloo's headers, for trainings in several processes; absent without libgloo-dev, or if this LibTorch has no c10d.
#   c2f::dist_cuda c2f::dist and c2f::cuda with NCCL between GPUs; absent without one of them, or NCCL's header
#   c2f::gpu       c2f::c2f and LibTorch's CUDA libraries; absent if LibTorch has none
#   c2f::cuda      c2f::gpu, the CUDA runtime and the kernels of include/c2f/cuda, which are compiled in the project that links it; absent
#                  unless the project has enabled the language CUDA
#
# C2F_CUDA=OFF leaves out c2f::gpu and c2f::cuda; with ON it is an error if one of them is missing.

include_guard(GLOBAL)
include(${CMAKE_CURRENT_LIST_DIR}/c2f_compiler.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/c2f_torch.cmake)
c2f_check_compiler()

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

# c2f::<name> for a library without a CMake package: its header and the libraries to link. Else its Debian package is in C2F_MISSING.
function(c2f_find_library name package header)
  string(TOUPPER ${name} upper)
  find_path(C2F_${upper}_INCLUDE_DIR ${header} PATH_SUFFIXES ${name})
  mark_as_advanced(C2F_${upper}_INCLUDE_DIR)
  set(found "")
  foreach(library IN LISTS ARGN)
    find_library(C2F_LIBRARY_${library} ${library})
    mark_as_advanced(C2F_LIBRARY_${library})
    list(APPEND found ${C2F_LIBRARY_${library}})
  endforeach()
  if("${found}" MATCHES "NOTFOUND" OR NOT EXISTS ${C2F_${upper}_INCLUDE_DIR}/${header})
    set(C2F_MISSING ${C2F_MISSING} ${package} PARENT_SCOPE)
  else()
    add_library(c2f::${name} INTERFACE IMPORTED GLOBAL)
    set_target_properties(c2f::${name} PROPERTIES
      INTERFACE_INCLUDE_DIRECTORIES ${C2F_${upper}_INCLUDE_DIR} INTERFACE_LINK_LIBRARIES "${found}")
  endif()
endfunction()
set(C2F_MISSING "")
c2f_find_library(spng libspng-dev spng.h spng)
c2f_find_library(jpeg libjpeg-dev jpeglib.h jpeg)
c2f_find_library(pugixml libpugixml-dev pugixml.hpp pugixml)
c2f_find_library(nifti libnifti-dev nifti1_io.h niftiio znz z)
c2f_find_library(zip libzip-dev zip.h zip)
c2f_find_library(json nlohmann-json3-dev nlohmann/json.hpp)
c2f_find_library(crypto libssl-dev openssl/evp.h crypto)
list(JOIN C2F_MISSING " " _c2f_missing)
if(c2f_FIND_QUIETLY)
elseif(_c2f_missing AND TARGET c2f::spng)
  message(STATUS "c2f: c2f::data without some readers; Debian packages that were not found: ${_c2f_missing}")
elseif(_c2f_missing)
  message(STATUS "c2f: no target c2f::data, since libspng was not found; Debian packages that were not found: ${_c2f_missing}")
endif()
if(TARGET c2f::spng)
  add_library(c2f::data INTERFACE IMPORTED GLOBAL)
  target_link_libraries(c2f::data INTERFACE c2f::c2f c2f::spng Threads::Threads $<TARGET_NAME_IF_EXISTS:c2f::jpeg>
                        $<TARGET_NAME_IF_EXISTS:c2f::pugixml> $<TARGET_NAME_IF_EXISTS:c2f::nifti> $<TARGET_NAME_IF_EXISTS:c2f::zip>
                        $<TARGET_NAME_IF_EXISTS:c2f::json> $<TARGET_NAME_IF_EXISTS:c2f::crypto>)
endif()
mark_as_advanced(C2F_BOOST_INCLUDE_DIR)

# Gloo itself is in libtorch_cpu.so, whose headers include those of Gloo but do not contain them.
find_path(C2F_GLOO_INCLUDE_DIR gloo/algorithm.h)
mark_as_advanced(C2F_GLOO_INCLUDE_DIR)
if(C2F_GLOO_INCLUDE_DIR AND EXISTS ${C2F_TORCH_ROOT}/include/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp)
  add_library(c2f::dist INTERFACE IMPORTED GLOBAL)
  target_link_libraries(c2f::dist INTERFACE c2f::c2f)
  target_include_directories(c2f::dist INTERFACE ${C2F_GLOO_INCLUDE_DIR})
  target_compile_definitions(c2f::dist INTERFACE USE_DISTRIBUTED USE_C10D_GLOO C2F_WITH_DIST)
elseif(NOT c2f_FIND_QUIETLY)
  message(STATUS "c2f: no target c2f::dist (trainings in several processes), since Gloo's headers or LibTorch's c10d were not found "
                 "(Debian: libgloo-dev)")
endif()

# Without a build type CMake passes no -O to the compiler.
get_property(_c2f_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
get_directory_property(_c2f_options COMPILE_OPTIONS)
if(NOT c2f_FIND_QUIETLY AND NOT _c2f_multi_config AND NOT CMAKE_BUILD_TYPE AND NOT "${CMAKE_CXX_FLAGS};${_c2f_options}" MATCHES "-O")
  message(NOTICE "c2f: CMAKE_BUILD_TYPE is not set, so programs are not optimised; -DCMAKE_BUILD_TYPE=Release makes them several times as fast")
endif()

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
    find_path(C2F_KERNELS_DIR c2f/cuda/kernels/kernels.cu NO_DEFAULT_PATH NO_CACHE REQUIRED
              PATHS ${CMAKE_CURRENT_LIST_DIR}/../include ${CMAKE_CURRENT_LIST_DIR}/../../../include)   # a checkout, an installation
    add_library(c2f::cuda INTERFACE IMPORTED GLOBAL)
    target_sources(c2f::cuda INTERFACE ${C2F_KERNELS_DIR}/c2f/cuda/kernels/kernels.cu)
    target_link_libraries(c2f::cuda INTERFACE c2f::gpu CUDA::cudart)
    target_compile_definitions(c2f::cuda INTERFACE C2F_WITH_CUDA)
    target_compile_features(c2f::cuda INTERFACE cuda_std_20)
    if(TARGET c2f::dist)
      # NCCL comes beside LibTorch's wheel.
      find_path(C2F_NCCL_INCLUDE_DIR nccl.h HINTS ${C2F_TORCH_ROOT}/../nvidia/nccl/include)
      mark_as_advanced(C2F_NCCL_INCLUDE_DIR)
      if(C2F_NCCL_INCLUDE_DIR)
        add_library(c2f::dist_cuda INTERFACE IMPORTED GLOBAL)
        target_link_libraries(c2f::dist_cuda INTERFACE c2f::dist c2f::cuda)
        target_include_directories(c2f::dist_cuda INTERFACE ${C2F_NCCL_INCLUDE_DIR})
        target_compile_definitions(c2f::dist_cuda INTERFACE USE_C10D_NCCL)
      endif()
    endif()
    # Kernels call constexpr functions of core/.
    target_compile_options(c2f::cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>)
  endif()
endif()
