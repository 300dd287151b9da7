# Headers of other libraries that most units include take two thirds of the time of a compilation: they are compiled once, for two kinds of
# targets. A unit still includes what it uses; -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON proves it.
#
#   phiscope_precompiled(<target>)        libraries and programs
#   phiscope_precompiled_test(<target>)   test programs: GoogleTest too
#
# Units with instruction-set flags of their own must set SKIP_PRECOMPILE_HEADERS: the compiler takes a header only with equal flags.

set(precompiled_headers <algorithm> <array> <atomic> <chrono> <cmath> <cstdint> <cstring> <filesystem> <functional> <map> <memory> <mutex> <optional> <set>
    <span> <string> <string_view> <thread> <utility> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp> <tl/expected.hpp>)

# ccache takes part when it may trust that a precompiled header is what its content says.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(phiscope_flags INTERFACE -fpch-preprocess)
endif()

function(phiscope_precompiled_set name)
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cpp.in "// Holds a precompiled header.\n")
  configure_file(${CMAKE_BINARY_DIR}/${name}.cpp.in ${CMAKE_BINARY_DIR}/${name}.cpp COPYONLY)
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE phiscope_flags fmt::fmt nlohmann_json::nlohmann_json tl::expected)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

phiscope_precompiled_set(phiscope_precompiled_headers ${precompiled_headers})
function(phiscope_precompiled target)
  target_precompile_headers(${target} REUSE_FROM phiscope_precompiled_headers)
endfunction()

if(PHISCOPE_TESTS)
  find_package(GTest REQUIRED)
  phiscope_precompiled_set(phiscope_precompiled_test_headers ${precompiled_headers} <gtest/gtest.h> <gmock/gmock.h>)
  target_link_libraries(phiscope_precompiled_test_headers PRIVATE GTest::gtest GTest::gmock)
  function(phiscope_precompiled_test target)
    target_precompile_headers(${target} REUSE_FROM phiscope_precompiled_test_headers)
  endfunction()
endif()
