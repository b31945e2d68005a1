# cmake -DID=Clang -DVERSION=14.0.6 -DFILE=c2f_compiler.cmake -P old_compiler.cmake: what c2f says of that compiler.
set(CMAKE_CXX_COMPILER_ID ${ID})
set(CMAKE_CXX_COMPILER_VERSION ${VERSION})
include(${FILE})
c2f_check_compiler()
