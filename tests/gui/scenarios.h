#pragma once
#include <span>

#include "tests/gui/harness.h"

namespace phiscope::test {

/// All scenarios. To add one: a function in scenarios.cpp, its row, its name in CMakeLists.txt (a test compares the two).
std::span<const Scenario> scenarios();

}  // namespace phiscope::test
