#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/core/base/platform/child_program.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using platform::FileLock;
using test::start_child;

TEST(FileLock, TellsTheSecondWhoHoldsIt) {
  const test::TemporaryFolder folder;
  const auto first = FileLock::try_lock(folder / "deep/lock", "phiscope bench, process 1");
  ASSERT_TRUE(first);
  const auto second = FileLock::try_lock(folder / "deep/lock", "somebody else");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::busy);
  EXPECT_EQ(second.error().message,
            "phiscope bench, process 1 holds the lock " + (folder / "deep/lock").string() + "; wait until it ends or stop it");
}

TEST(FileLock, IsFreeAfterItsHolderLetGo) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(FileLock::try_lock(folder / "lock", "a rather long first holder"));
  const auto again = FileLock::try_lock(folder / "lock", "second");
  ASSERT_TRUE(again);
  EXPECT_EQ(*read_file(folder / "lock"), "second\n");
}

TEST(FileLock, ExcludesOtherProcessesAndIsFreeWhenTheyDie) {
  const test::TemporaryFolder folder;
  const auto child = *start_child({"lock", (folder / "lock").string()});
  ASSERT_EQ(*child->receive_line(60), "locked");
  const auto refused = FileLock::try_lock(folder / "lock", "us");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("the child holds the lock "), 0u) << refused.error().message;
  child->kill();
  child->wait(60);
  EXPECT_TRUE(FileLock::try_lock(folder / "lock", "us"));
}

TEST(FileLock, IsNotInheritedByChildren) {
  const test::TemporaryFolder folder;
  auto lock = *FileLock::try_lock(folder / "lock", "us");
  const auto child = *start_child({"silent"});
  lock.reset();
  EXPECT_TRUE(FileLock::try_lock(folder / "lock", "us again"));
}

TEST(FileLock, SaysWhyAFileCannotBeLocked) { EXPECT_EQ(FileLock::try_lock("/proc/none/lock", "us").error().code, ErrorCode::not_found); }

}  // namespace
}  // namespace phiscope
