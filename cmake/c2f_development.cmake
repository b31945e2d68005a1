# What our own programs and tests are built with; nobody who uses c2f sees any of it.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# c2f_development: warnings. LibTorch, Boost and the like are SYSTEM, so only our lines warn. CMAKE_COMPILE_WARNING_AS_ERROR=ON makes
# them errors; the presets take that from the environment variable CI.
add_library(c2f_development INTERFACE)
target_compile_options(c2f_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor>)

# ccache, where it is: with a precompiled header it must be told that __TIME__ and the header's macros do not matter.
find_program(C2F_CCACHE ccache)
mark_as_advanced(C2F_CCACHE)
if(C2F_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${C2F_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(c2f_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()

# c2f_precompiled_<programs|tests>: one compile of the heavy headers that are not ours. No c2f header is among them, else each edit
# would compile everything again; and none of it is on c2f::c2f, so users decide for themselves.
function(c2f_precompile name)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp.new "// only carries the precompiled header\n")
  file(COPY_FILE ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp.new ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp
       ONLY_IF_DIFFERENT)
  add_library(c2f_precompiled_${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/c2f_precompiled_${name}.cpp)
  target_link_libraries(c2f_precompiled_${name} PRIVATE c2f::c2f c2f_development)
  target_precompile_headers(c2f_precompiled_${name} PRIVATE
    <algorithm> <array> <chrono> <concepts> <cstdint> <filesystem> <fstream> <functional> <memory> <optional> <string> <thread>
    <tuple> <type_traits> <utility> <vector>
    <ATen/core/Tensor.h> <ATen/TensorOperators.h> <boost/hana.hpp> ${ARGN})
endfunction()
