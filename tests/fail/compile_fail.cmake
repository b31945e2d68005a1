# cmake -DNAME=gcc|clang|nvcc -DWITH_CORRECTED=TRUE|FALSE -DCOMPILER=PATH -DARGUMENTS="a;b" -DSOURCE=FILE -P compile_fail.cmake
#
# A file that must not compile has these lines:
#   // expect-error: REGEX     at least one
#   // errors: N               the number of errors that the compiler reports; by default 1: one mistake, one error
#   // not-on: NAME REASON     this compiler is left out
#   // also-on: nvcc           also tested with nvcc; for files that do not include LibTorch
# and has a corrected version under '#ifdef CORRECTED'.
#
# The test passes if the corrected version compiles (WITH_CORRECTED), the file itself does not, every REGEX matches a diagnostic line (not an echoed source
# line), the first error is an expected one, and there are N errors.
cmake_policy(VERSION 3.24)

# Calls NAME(line) for each line. CMake lists would break at the ';' and '[' that compilers print.
function(for_each_line text name)
  string(LENGTH "${text}" length)
  while(length GREATER 0)
    string(FIND "${text}" "\n" at)
    if(at LESS 0)
      set(at ${length})
    endif()
    string(SUBSTRING "${text}" 0 ${at} line)
    cmake_language(CALL ${name} "${line}")
    math(EXPR at "${at} + 1")
    if(at GREATER_EQUAL length)
      break()
    endif()
    string(SUBSTRING "${text}" ${at} -1 text)
    string(LENGTH "${text}" length)
  endwhile()
endfunction()

function(reject reason)
  message("${SOURCE} (${NAME}): ${reason}")                # FATAL_ERROR would wrap its lines
  message(FATAL_ERROR "rejected")
endfunction()

# ---- the expectations in the file ----

file(READ ${SOURCE} text)
set_property(GLOBAL PROPERTY expected_count 0)
set_property(GLOBAL PROPERTY errors_wanted 1)
function(read_mark line)
  if(line MATCHES "^// expect-error: (.*)$")
    set(regex "${CMAKE_MATCH_1}")
    get_property(n GLOBAL PROPERTY expected_count)
    set_property(GLOBAL PROPERTY expected_${n} "${regex}")
    math(EXPR n "${n} + 1")
    set_property(GLOBAL PROPERTY expected_count ${n})
  elseif(line MATCHES "^// errors: ([0-9]+)$")
    set_property(GLOBAL PROPERTY errors_wanted ${CMAKE_MATCH_1})
  elseif(line MATCHES "^// not-on: ${NAME} +(.+)$")
    set_property(GLOBAL PROPERTY left_out "${CMAKE_MATCH_1}")
  endif()
endfunction()
for_each_line("${text}" read_mark)

get_property(left_out GLOBAL PROPERTY left_out)
if(left_out)
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "skipped: not on ${NAME}: ${left_out}")
  return()
endif()
get_property(expected_count GLOBAL PROPERTY expected_count)
if(expected_count EQUAL 0)
  reject("no '// expect-error: REGEX' line")
endif()

# ---- the corrected version compiles, the file does not ----

if(WITH_CORRECTED)
  execute_process(COMMAND ${COMPILER} ${ARGUMENTS} -DCORRECTED ${SOURCE} RESULT_VARIABLE rc OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT rc EQUAL 0)
    reject("the corrected version does not compile:\n${output}")
  endif()
endif()
execute_process(COMMAND ${COMPILER} ${ARGUMENTS} ${SOURCE} RESULT_VARIABLE rc OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(rc EQUAL 0)
  reject("it must not compile, but it compiled:\n${output}")
endif()

# ---- with the expected errors ----

set_property(GLOBAL PROPERTY errors 0)
set_property(GLOBAL PROPERTY diagnostics "")
function(read_diagnostic line)
  # gcc and clang: 'file:1:2: error: ...'; nvcc: 'file(1): error: ...', then ' instantiation of ...' lines.
  # An echoed source line never begins like this.
  if(line MATCHES "^[^ ].*(:[0-9]+:[0-9]+|\\([0-9]+\\)): ((fatal |catastrophic )?error|note)( #[0-9-]+D?)?: ")
    if(NOT CMAKE_MATCH_2 STREQUAL "note")
      get_property(errors GLOBAL PROPERTY errors)
      if(errors EQUAL 0)
        set_property(GLOBAL PROPERTY first_error "${line}")
      endif()
      math(EXPR errors "${errors} + 1")
      set_property(GLOBAL PROPERTY errors ${errors})
    endif()
  elseif(NOT (NAME STREQUAL "nvcc" AND line MATCHES "^ +(detected during )?instantiation of "))
    return()
  endif()
  set_property(GLOBAL APPEND_STRING PROPERTY diagnostics "${line}\n")
endfunction()
for_each_line("${output}" read_diagnostic)

get_property(diagnostics GLOBAL PROPERTY diagnostics)
get_property(first_error GLOBAL PROPERTY first_error)
get_property(errors GLOBAL PROPERTY errors)
get_property(errors_wanted GLOBAL PROPERTY errors_wanted)
set(first_is_expected FALSE)
math(EXPR last "${expected_count} - 1")
foreach(n RANGE ${last})
  get_property(regex GLOBAL PROPERTY expected_${n})
  if(NOT diagnostics MATCHES "${regex}")
    reject("/${regex}/ is on no diagnostic line of:\n${output}")
  endif()
  if(first_error MATCHES "${regex}")
    set(first_is_expected TRUE)
  endif()
endforeach()
if(NOT first_is_expected)
  reject("the first error is none of the expected ones:\n${first_error}")
endif()
if(NOT errors EQUAL errors_wanted)
  reject("${errors} errors, but ${errors_wanted} wanted:\n${output}")
endif()
message(STATUS "ok: ${first_error}")
