# Tests that call a compiler once or twice on one file: fail, headers, docs.

# Folders that the compiler searches by default must not be given again: '-isystem /usr/include' hides libstdc++'s <stdlib.h>.
set(c2f_includes -I${PROJECT_SOURCE_DIR}/include)
set(cuda_includes "")
if(TARGET c2f::cuda)
  set(cuda_includes ${CUDAToolkit_INCLUDE_DIRS})
endif()
foreach(folder ${C2F_TORCH_ROOT}/include ${C2F_TORCH_ROOT}/include/torch/csrc/api/include ${C2F_BOOST_INCLUDE_DIR} ${C2F_NIFTI_INCLUDE_DIR}
               ${cuda_includes})
  if(folder AND NOT folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    list(APPEND c2f_includes -isystem ${folder})
  endif()
endforeach()
set(c2f_syntax -std=c++20 -fsyntax-only ${c2f_includes})

# c2f_precompile_for(<name> <compiler> <text>): precompiles a header of that text for one compiler and sets precompiled_<name> to the
# arguments that use it. The build tool updates it (target c2f_precompile_<name>), so a second run of the tests is free.
function(c2f_precompile_for name compiler text)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/precompiled_${name}/header.hpp)
  set(suffix gch)
  set(more "")
  if(compiler STREQUAL "clang")
    set(suffix pch)
    set(more -fpch-instantiate-templates)                  # once, and not in every file that uses it: 0.1 instead of 0.7 s
  endif()
  file(CONFIGURE OUTPUT ${header} CONTENT "${text}\n")
  add_custom_command(OUTPUT ${header}.${suffix} DEPENDS ${header} DEPFILE ${header}.d VERBATIM
    COMMAND ${${compiler}} -std=c++20 ${more} ${c2f_includes} -MD -MF ${header}.d -MT ${header}.${suffix} -x c++-header ${header} -o ${header}.${suffix})
  add_custom_target(c2f_precompile_${name} DEPENDS ${header}.${suffix})
  set(precompiled_${name} -include ${header} PARENT_SCOPE) # both compilers look for the precompiled header in the same folder
endfunction()

# c2f_fast(<compiler>): a test 'fail.<compiler>.prepare' that precompiles c2f.hpp, which shortens a call from 5 s to 1 s. A test that
# requires the fixture 'fast_<compiler>' adds ${precompiled_<compiler>}. It is a test and not part of the build, so that a header that one
# compiler rejects is a failed test and not a failed build.
function(c2f_fast compiler)
  c2f_precompile_for(${compiler} ${compiler} "#include <c2f/c2f.hpp>")
  add_test(NAME fail.${compiler}.prepare COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target c2f_precompile_${compiler})
  set_tests_properties(fail.${compiler}.prepare PROPERTIES LABELS fail FIXTURES_SETUP fast_${compiler} RESOURCE_LOCK build_tree)
  set(precompiled_${compiler} ${precompiled_${compiler}} PARENT_SCOPE)
endfunction()

# ---- fail: files that must not compile, and whose corrected version (-DCORRECTED) must ----

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(gcc ${CMAKE_CXX_COMPILER})
else()
  find_program(C2F_GCC g++)
  set(gcc ${C2F_GCC})
endif()
find_program(C2F_CLANG NAMES clang++-19 clang++-20 clang++-18)
find_program(C2F_NVCC nvcc)
mark_as_advanced(C2F_GCC C2F_CLANG C2F_NVCC)
set(clang ${C2F_CLANG})
set(nvcc ${C2F_NVCC})
set(gcc_arguments ${c2f_syntax} -fno-diagnostics-show-caret)
set(clang_arguments ${c2f_syntax} -fno-caret-diagnostics)
set(nvcc_arguments -std=c++20 -arch=sm_90 -x cu -c -o /dev/null -I${PROJECT_SOURCE_DIR}/include)

# The driver also compiles the corrected version, except where fail.gcc.corrected and fail.clang.corrected compile those of all files.
function(c2f_add_fail_test test compiler source)
  set(with_corrected TRUE)
  if(test MATCHES "^fail[.](gcc|clang)[.]")
    set(with_corrected FALSE)
  endif()
  add_test(NAME ${test} COMMAND ${CMAKE_COMMAND} "-DNAME=${compiler}" -DWITH_CORRECTED=${with_corrected} "-DCOMPILER=${${compiler}}" "-DARGUMENTS=${${compiler}_arguments};${ARGN}"
           "-DSOURCE=${source}" -P ${CMAKE_CURRENT_SOURCE_DIR}/fail/compile_fail.cmake)
  set_tests_properties(${test} PROPERTIES LABELS fail ENVIRONMENT LC_ALL=C SKIP_REGULAR_EXPRESSION "^skipped: ")
endfunction()

foreach(compiler gcc clang)
  if(${compiler} AND level GREATER_EQUAL 1)
    c2f_fast(${compiler})
  endif()
endforeach()

file(GLOB pairs CONFIGURE_DEPENDS fail/*.cpp)
foreach(source IN LISTS pairs)
  cmake_path(GET source STEM name)
  foreach(compiler gcc clang)
    if(${compiler} AND level GREATER_EQUAL 1)
      c2f_add_fail_test(fail.${compiler}.${name} ${compiler} ${source} ${precompiled_${compiler}})
      set_tests_properties(fail.${compiler}.${name} PROPERTIES FIXTURES_REQUIRED fast_${compiler})
    endif()
  endforeach()
  file(STRINGS ${source} for_nvcc REGEX "^// also-on: nvcc")
  if(for_nvcc AND nvcc AND level GREATER_EQUAL 1)
    c2f_add_fail_test(fail.nvcc.${name} nvcc ${source})
  endif()
endforeach()

# The corrected versions of all files are one file a compiler, each in a namespace of its own, with their headers in front.
set(corrected_includes "")
set(corrected "")
foreach(source IN LISTS pairs)
  cmake_path(GET source STEM name)
  file(STRINGS ${source} lines REGEX "^#include ")
  list(APPEND corrected_includes ${lines})
  string(APPEND corrected "namespace ${name}_ {\n#include \"${source}\"\n}\n")
endforeach()
list(REMOVE_DUPLICATES corrected_includes)
list(JOIN corrected_includes "\n" corrected_includes)
set(corrected_file ${CMAKE_CURRENT_BINARY_DIR}/fail_corrected.cpp)
file(CONFIGURE OUTPUT ${corrected_file} CONTENT "${corrected_includes}\n#define CORRECTED\n${corrected}" @ONLY)
foreach(compiler gcc clang)
  if(${compiler} AND level GREATER_EQUAL 1)
    add_test(NAME fail.${compiler}.corrected COMMAND ${${compiler}} ${${compiler}_arguments} ${precompiled_${compiler}} ${corrected_file})
    set_tests_properties(fail.${compiler}.corrected PROPERTIES LABELS fail FIXTURES_REQUIRED fast_${compiler})
  endif()
endforeach()

# Tests of the driver: what it must accept, and what it must reject with which message.
set(rejected_wrong_reason "is on no diagnostic line")
set(rejected_warning "it compiled")
set(rejected_missing_header "is on no diagnostic line")
set(rejected_correction "the corrected version does not compile")
set(rejected_two_errors "2 errors, but 1 wanted")
set(rejected_late "the first error is none of the expected ones")
set(rejected_unmarked "no '// expect-error: REGEX' line")
file(GLOB samples CONFIGURE_DEPENDS fail/driver/*.cpp)
foreach(source IN LISTS samples)
  cmake_path(GET source STEM name)
  foreach(compiler gcc clang nvcc)
    if(${compiler})
      c2f_add_fail_test(fail.driver.${compiler}.${name} ${compiler} ${source})
      if(rejected_${name})
        set_tests_properties(fail.driver.${compiler}.${name} PROPERTIES PASS_REGULAR_EXPRESSION "${rejected_${name}}")
      elseif(name MATCHES "^(warning|wrong|missing|correction|two|late|unmarked)")
        message(FATAL_ERROR "tests/fail/driver/${name}.cpp: set rejected_${name} in tests/syntax.cmake to the message with which the driver rejects it")
      endif()
    endif()
  endforeach()
endforeach()

# ---- headers: each compiles alone, and twice; the build is the test, so after an edit only what it concerns is compiled ----

# With third-party headers precompiled a header takes a fourth of the time, with clang less than with g++. That each header includes those
# that it needs is checked by headers.py and, at level 2, by compiling without a precompiled header.
if(level GREATER_EQUAL 1)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include/c2f/*.hpp)
  if(NOT TARGET c2f::cuda)                                 # these two include CUDA headers
    list(FILTER headers EXCLUDE REGEX "^c2f/cuda/(gpu|runtime/graph)[.]hpp")
  endif()
  if(NOT (TARGET c2f::spng AND TARGET c2f::jpeg AND TARGET c2f::pugixml AND TARGET c2f::nifti AND TARGET c2f::zip AND TARGET c2f::json
          AND TARGET c2f::crypto))
    list(FILTER headers EXCLUDE REGEX "^c2f/(data([.]|/)|train/checkpoint)")
  endif()
  set(compiler gcc)
  if(clang)
    set(compiler clang)
  endif()
  set(precompiled "")
  set(precompiled_header "")
  if(level LESS 2)
    c2f_third_party_headers(third_party)
    list(TRANSFORM third_party PREPEND "#include ")
    list(JOIN third_party "\n" third_party)
    c2f_precompile_for(third_party ${compiler} "${third_party}")
    set(precompiled ${precompiled_third_party})
    set(precompiled_header c2f_precompile_third_party)
  endif()
  set(checked "")
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "^c2f/|[.]hpp$" "" name ${header})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include <@header@>\n#include <@header@>\n" @ONLY)
    add_custom_command(OUTPUT ${source}.checked DEPENDS ${source} ${precompiled_header} DEPFILE ${source}.d VERBATIM
      COMMAND ${${compiler}} ${c2f_syntax} -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror ${precompiled} -MD -MF ${source}.d -MT ${source}.checked ${source}
      COMMAND ${CMAKE_COMMAND} -E touch ${source}.checked)
    list(APPEND checked ${source}.checked)
  endforeach()
  add_custom_target(c2f_headers_alone DEPENDS ${checked})
  add_test(NAME headers COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target c2f_headers_alone)
  set_tests_properties(headers PROPERTIES LABELS headers RESOURCE_LOCK build_tree PROCESSORS 2)
  if(C2F_ANY_PYTHON)
    add_test(NAME headers.third_party COMMAND ${C2F_ANY_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/headers.py ${C2F_TORCH_ROOT}/include)
    set_tests_properties(headers.third_party PROPERTIES LABELS headers)
  endif()
endif()

# ---- docs: every code block compiles, and every example at the head of a header ----

if(C2F_ANY_PYTHON AND level GREATER_EQUAL 1)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/*.md)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${pages} ${PROJECT_SOURCE_DIR}/cmake/extract_blocks.py)
  set(extract ${C2F_ANY_PYTHON} ${PROJECT_SOURCE_DIR}/cmake/extract_blocks.py)
  # All blocks are one file, each in a namespace of its own; its #line directives make the compiler name the page.
  set(blocks ${CMAKE_CURRENT_BINARY_DIR}/docs_blocks.cpp)
  set(compiled ${pages})
  if(NOT TARGET c2f::cuda)
    list(FILTER compiled EXCLUDE REGEX "/gpu[.]md$")
  endif()
  execute_process(COMMAND ${extract} --together ${blocks} ${compiled} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  set(fast "")
  if(gcc STREQUAL CMAKE_CXX_COMPILER)
    set(fast ${precompiled_gcc})
  endif()
  add_test(NAME docs.blocks COMMAND ${CMAKE_CXX_COMPILER} ${c2f_syntax} ${fast} -I${CMAKE_CURRENT_SOURCE_DIR} ${blocks})
  set_tests_properties(docs.blocks PROPERTIES LABELS docs FIXTURES_REQUIRED fast_gcc)
  # The test extracts the examples itself, since an edit of a comment does not configure again. Some examples read data sets.
  if("c2f/data.hpp" IN_LIST headers)
    file(GLOB_RECURSE kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/c2f/*.cuh)
    list(TRANSFORM headers PREPEND ${PROJECT_SOURCE_DIR}/include/ OUTPUT_VARIABLE with_examples)
    add_test(NAME docs.header_examples
             COMMAND ${extract} --headers ${CMAKE_CURRENT_BINARY_DIR}/header_examples.cpp ${with_examples} ${kernels} --
             ${CMAKE_CXX_COMPILER} ${c2f_syntax} -Wno-unused-result ${fast} -I${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(docs.header_examples PROPERTIES LABELS docs FIXTURES_REQUIRED fast_gcc)
  endif()
  # Every message has an entry in docs/errors.md; every message of a static_assert has a test in tests/fail.
  add_test(NAME fail.sentences COMMAND ${C2F_ANY_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/fail/sentences.py)
  set_tests_properties(fail.sentences PROPERTIES LABELS "fail;docs")
  if(pages)
    add_test(NAME docs.commands COMMAND ${extract} --run ${PROJECT_SOURCE_DIR}/run ${pages})
    set_tests_properties(docs.commands PROPERTIES LABELS docs)
  endif()
endif()
