// c2f/version.hpp: the version number, which CMake reads from this file.
//
//   #if C2F_VERSION >= 100        // 0.1.0 or later: major * 10000 + minor * 100 + patch
#pragma once

#define C2F_VERSION 100
