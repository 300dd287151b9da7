#pragma once
#include "core/base/platform/platform.h"

namespace phiscope::test {

inline std::string child_program() { return (platform::executable_path().parent_path() / "base_test_child").string(); }

inline Result<std::unique_ptr<platform::ChildProcess>> start_child(std::vector<std::string> mode) {
  mode.insert(mode.begin(), child_program());
  return platform::ChildProcess::start({.arguments = std::move(mode), .environment = {}, .on_stderr_line = {}});
}

}  // namespace phiscope::test
