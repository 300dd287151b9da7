#pragma once
// Where test data is, and folders to write to.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace phiscope::test {

/// A file or folder of the shared fixtures: $PHISCOPE_FIXTURES, else ../shared/fixtures beside the source tree. Empty when absent.
std::filesystem::path fixture(const std::string& relative);
/// True when a missing fixture must fail instead of skip (PHISCOPE_REQUIRE_FIXTURES=1).
bool fixtures_required();
/// A file of the source tree.
std::filesystem::path source_path(const std::string& relative);

/// A fresh empty folder, removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace phiscope::test

/// Declares `const std::filesystem::path variable`, or skips (fails when fixtures are required) naming what is missing.
#define PHISCOPE_FIXTURE(variable, relative)                                                                          \
  const std::filesystem::path variable = ::phiscope::test::fixture(relative);                                         \
  if (variable.empty()) {                                                                                             \
    if (::phiscope::test::fixtures_required()) FAIL() << "fixture " << (relative) << " is missing; set PHISCOPE_FIXTURES"; \
    GTEST_SKIP() << "fixture " << (relative) << " is missing; set PHISCOPE_FIXTURES";                                 \
  }                                                                                                                   \
  static_assert(true)
