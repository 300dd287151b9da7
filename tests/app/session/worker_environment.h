#pragma once
// Points a test at the worker of this build and at folders of its own.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/fixtures.h"

namespace phiscope::test {

/// Every test has its own cache and database, so that they can run side by side.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest();
  std::filesystem::path database() const { return folder_ / "runs.db"; }
  /// A suite that takes moments: one prefill, one decode, a text of two chunks, no tasks.
  std::filesystem::path small_suite();
  /// Some prose of at least `bytes` bytes.
  std::filesystem::path prose(size_t bytes);
  /// A copy of a model whose weights file ends too early.
  std::filesystem::path damaged_copy(const std::filesystem::path& model);

  TemporaryFolder folder_;
};

std::string fake_worker_program();

}  // namespace phiscope::test
