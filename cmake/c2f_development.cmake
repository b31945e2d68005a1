# Settings for c2f's own programs and tests; not part of c2f::c2f.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# c2f_development: warnings. LibTorch, Boost and the like are SYSTEM, so only code of c2f warns. CMAKE_COMPILE_WARNING_AS_ERROR=ON
# makes warnings errors; the presets take that from the environment variable CI.
add_library(c2f_development INTERFACE)
target_compile_options(c2f_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor>)

# ccache, if found: with a precompiled header it must ignore __TIME__ and the macros of the header.
find_program(C2F_CCACHE ccache)
mark_as_advanced(C2F_CCACHE)
if(C2F_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_PCH_EXTSUM=true ${C2F_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(c2f_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()

# c2f_quick: what is compiled much longer than it runs is not optimised in a build for the tests.
add_library(c2f_quick INTERFACE)
if(C2F_TESTS)
  target_compile_options(c2f_quick INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-O0>)
endif()

# c2f_third_party_headers(<variable>): LibTorch's headers that include/ includes, in <...>, but for those that see CUDA or torch::nn.
function(c2f_third_party_headers variable)
  file(GLOB_RECURSE headers ${PROJECT_SOURCE_DIR}/include/c2f/*.hpp)
  set(found "")
  foreach(header IN LISTS headers)
    file(STRINGS ${header} lines REGEX "^#include <(ATen|c10)/")
    foreach(line IN LISTS lines)
      string(REGEX MATCH "<[^>]+>" name "${line}")
      list(APPEND found ${name})
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES found)
  list(SORT found)
  list(FILTER found EXCLUDE REGEX "/cuda/")
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

# c2f_precompiled_<programs|tests>: precompiled heavy headers of other libraries. c2f headers are not among them, since each edit would
# recompile everything. It is not part of c2f::c2f, so that users decide for themselves.
function(c2f_precompile name)
  if(TARGET c2f_precompiled_${name})
    return()
  endif()
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp.new "// only carries the precompiled header\n")
  file(COPY_FILE ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp.new ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp
       ONLY_IF_DIFFERENT)
  c2f_third_party_headers(third_party)
  add_library(c2f_precompiled_${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp)
  target_link_libraries(c2f_precompiled_${name} PRIVATE c2f::c2f c2f_development)
  if(NOT name STREQUAL "device_tests")                     # whose kernels run on the CPU
    target_link_libraries(c2f_precompiled_${name} PRIVATE c2f_quick)
  endif()
  target_precompile_headers(c2f_precompiled_${name} PRIVATE
    <algorithm> <array> <chrono> <concepts> <cstdint> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <set> <span>
    <sstream> <string> <thread> <tuple> <type_traits> <utility> <vector>
    <ATen/TensorOperators.h> <boost/hana.hpp> ${third_party} ${ARGN})
endfunction()

# c2f_use_precompiled(<target> <name>): lets a target use c2f_precompiled_<name>. A checksum of it, computed once, spares ccache reading its
# 400 MB for every file.
function(c2f_use_precompiled target name)
  target_precompile_headers(${target} REUSE_FROM c2f_precompiled_${name})
  if(NOT (C2F_CCACHE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_GENERATOR STREQUAL "Ninja"))
    return()
  endif()
  if(NOT TARGET c2f_precompiled_${name}_sum)
    get_target_property(folder c2f_precompiled_${name} BINARY_DIR)
    set(header ${folder}/CMakeFiles/c2f_precompiled_${name}.dir/cmake_pch.hxx.gch)
    add_custom_command(OUTPUT ${header}.sum DEPENDS ${header} VERBATIM
      COMMAND ${CMAKE_COMMAND} -DFILE=${header} -P ${PROJECT_SOURCE_DIR}/cmake/checksum.cmake)
    add_custom_target(c2f_precompiled_${name}_sum DEPENDS ${header}.sum)
  endif()
  add_dependencies(${target} c2f_precompiled_${name}_sum)
endfunction()
