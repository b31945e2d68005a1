// c2f/core/compiler.hpp: refuses compilers that cannot compile c2f, with one message. Included first by c2f.hpp, data.hpp and print.hpp.
//
// It is an #include that fails, because compilers go on after an #error, to a screen full of others. Versions: cmake/c2f_compiler.cmake.
#pragma once

#if (defined(__clang__) && !defined(__apple_build_version__) && __clang_major__ < 18) || \
    (!defined(__clang__) && defined(__GNUC__) && __GNUC__ < 11)
#include "c2f needs g++ 11 or clang 18 or later, and this compiler is older; choose another one"
#elif __cplusplus < 202002L
#include "c2f needs C++20; add -std=c++20 to the options of the compiler"
#endif
