# c2f_find_torch(): defines c2f::libtorch, and c2f::libtorch_cuda if this LibTorch has CUDA.
# Sets C2F_TORCH_ROOT (the folder that holds include/ and lib/), C2F_TORCH_VERSION and C2F_PYTHON (a Python that has torch; may be empty).
#
# Why not find_package(Torch)? With a CUDA build of LibTorch (what PyPI has) it needs nvcc even for a program that uses the CPU only,
# fails without a GPU unless TORCH_CUDA_ARCH_LIST is set, and up to torch 2.5 asked for CUDA::nvToolsExt, which CUDA 12.9
# removed. Two libraries and two include folders suffice, so they are named here.

include_guard(GLOBAL)
set(_c2f_module_dir ${CMAKE_CURRENT_LIST_DIR})

# A Python that has torch, and torch's folder. find_spec takes 0.1 s; 'import torch' takes seconds.
function(_c2f_ask_python)
  if(DEFINED CACHE{C2F_PYTHON} AND NOT "$CACHE{C2F_PYTHON}" STREQUAL "")
    set(candidates "$CACHE{C2F_PYTHON}")
  else()
    set(candidates python3 ${_c2f_module_dir}/../.deps/venv/bin/python)   # the second one is made by ./run
  endif()
  foreach(python IN LISTS candidates)
    execute_process(
      COMMAND ${python} -c "import importlib.util, os, sys
spec = importlib.util.find_spec('torch')
print(sys.executable + ';' + os.path.dirname(spec.origin) if spec and spec.origin else '')"
      OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE rc)
    if(rc STREQUAL "0" AND output)
      list(GET output 0 python)
      list(GET output 1 root)
      set(C2F_PYTHON ${python} CACHE FILEPATH "A Python that has torch: finds LibTorch, runs the parity tests" FORCE)
      set(_c2f_python_torch ${root} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(_c2f_find_torch_root)
  if(C2F_TORCH_ROOT AND EXISTS ${C2F_TORCH_ROOT}/include/ATen/core/Tensor.h)
    return()
  endif()
  _c2f_ask_python()
  # CMAKE_PREFIX_PATH may be an unpacked LibTorch or torch.utils.cmake_prefix_path; both contain TorchConfig.cmake.
  set(prefixes ${Torch_DIR} ${Torch_ROOT} $ENV{Torch_ROOT} ${CMAKE_PREFIX_PATH})
  string(REPLACE ":" ";" from_environment "$ENV{CMAKE_PREFIX_PATH}")
  set(config config-NOTFOUND)
  find_file(config TorchConfig.cmake NO_CACHE NO_DEFAULT_PATH
            HINTS ${prefixes} ${from_environment} PATH_SUFFIXES share/cmake/Torch Torch)
  if(NOT config AND _c2f_python_torch)
    find_file(config TorchConfig.cmake NO_CACHE NO_DEFAULT_PATH HINTS ${_c2f_python_torch}/share/cmake/Torch)
  endif()
  if(NOT config)
    find_file(config TorchConfig.cmake NO_CACHE PATH_SUFFIXES share/cmake/Torch)
  endif()
  if(NOT config)
    message(FATAL_ERROR "c2f: LibTorch was not found in CMAKE_PREFIX_PATH (\"${CMAKE_PREFIX_PATH}\") and python3 has no torch; "
                        "run './run test' in a checkout of c2f, or 'pip install torch', or pass -DCMAKE_PREFIX_PATH=/path/to/libtorch.")
  endif()
  cmake_path(GET config PARENT_PATH root)                  # <root>/share/cmake/Torch
  cmake_path(SET root NORMALIZE ${root}/../../..)
  string(REGEX REPLACE "/$" "" root ${root})
  set(C2F_TORCH_ROOT ${root} CACHE PATH "The LibTorch c2f uses: the folder that holds include/ and lib/" FORCE)
endfunction()

# The old string ABI compiles and then fails to link with many undefined symbols, so it is refused here.
function(_c2f_refuse_old_abi)
  set(message "c2f needs the new C++ string ABI (_GLIBCXX_USE_CXX11_ABI=1)")
  if("${CMAKE_CXX_FLAGS} $ENV{CXXFLAGS}" MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
    message(FATAL_ERROR "${message}, but CMAKE_CXX_FLAGS set it to 0; remove -D_GLIBCXX_USE_CXX11_ABI=0.")
  endif()
  file(STRINGS ${C2F_TORCH_ROOT}/lib/libc10.so new_strings REGEX "__cxx11" LIMIT_COUNT 1)
  if(NOT new_strings)
    message(FATAL_ERROR "${message}, but the LibTorch in ${C2F_TORCH_ROOT} was built with 0; "
                        "use a wheel of torch 2.7 or later, or the LibTorch download named 'cxx11 ABI'.")
  endif()
endfunction()

function(c2f_find_torch)
  if(TARGET c2f::libtorch)
    return()
  endif()
  set(known "${C2F_TORCH_ROOT}")
  _c2f_find_torch_root()
  set(lib ${C2F_TORCH_ROOT}/lib)
  foreach(file ${C2F_TORCH_ROOT}/include/ATen/core/Tensor.h ${lib}/libtorch_cpu.so ${lib}/libc10.so)
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "c2f: the LibTorch in ${C2F_TORCH_ROOT} is not complete: ${file} is missing; "
                          "install torch again, or pass -DCMAKE_PREFIX_PATH=/path/to/libtorch.")
    endif()
  endforeach()
  set(version "")
  if(EXISTS ${C2F_TORCH_ROOT}/share/cmake/Torch/TorchConfigVersion.cmake)
    file(STRINGS ${C2F_TORCH_ROOT}/share/cmake/Torch/TorchConfigVersion.cmake line REGEX "PACKAGE_VERSION \"[0-9.]+" LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+[0-9.]*" version "${line}")
  endif()
  set(C2F_TORCH_VERSION "${version}" CACHE INTERNAL "version of LibTorch")
  if(NOT known STREQUAL C2F_TORCH_ROOT)                    # once, not at every configuration
    _c2f_refuse_old_abi()
    message(STATUS "c2f: LibTorch ${version} in ${C2F_TORCH_ROOT}")
    if(version VERSION_LESS 2.11)
      message(WARNING "c2f: LibTorch '${version}' is older than 2.11, the oldest that is tested.")
    endif()
  endif()

  set(include ${C2F_TORCH_ROOT}/include)
  foreach(name c10 torch_cpu)
    add_library(c2f::lib${name} SHARED IMPORTED GLOBAL)
    set_target_properties(c2f::lib${name} PROPERTIES IMPORTED_LOCATION ${lib}/lib${name}.so)
  endforeach()
  add_library(c2f::libtorch INTERFACE IMPORTED GLOBAL)
  target_include_directories(c2f::libtorch INTERFACE ${include} ${include}/torch/csrc/api/include)
  target_link_libraries(c2f::libtorch INTERFACE c2f::libtorch_cpu c2f::libc10)

  if(EXISTS ${lib}/libtorch_cuda.so)
    # A program references no symbol of torch_cuda, whose kernels register themselves when it is loaded: --no-as-needed keeps it.
    add_library(c2f::libtorch_cuda INTERFACE IMPORTED GLOBAL)
    target_link_libraries(c2f::libtorch_cuda INTERFACE c2f::libtorch
      "-Wl,--push-state,--no-as-needed,${lib}/libtorch_cuda.so,--pop-state" ${lib}/libc10_cuda.so)
  endif()
endfunction()
