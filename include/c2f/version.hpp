// c2f/version.hpp: the one place of the version; CMake reads it from here.
//
//   #if C2F_VERSION >= 100        // 0.1.0 or later: major * 10000 + minor * 100 + patch
#pragma once

#define C2F_VERSION 100
