# c2f_check_compiler(): one message for a compiler that is too old, instead of its own many; include/c2f/core/compiler.hpp does the same for
# projects without CMake. The versions: g++ 11 and clang 18 are the oldest that compile c2f (doubles as template parameters).

function(c2f_check_compiler)
  set(GNU 11)
  set(Clang 18)
  set(oldest "${${CMAKE_CXX_COMPILER_ID}}")                # empty for a compiler that nobody has tried
  if(oldest AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS oldest)
    message(FATAL_ERROR "c2f: the compiler is ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} (${CMAKE_CXX_COMPILER}), and c2f needs "
                        "g++ ${GNU} or clang ${Clang} or later; choose one with -DCMAKE_CXX_COMPILER=g++-12.")
  endif()
endfunction()
