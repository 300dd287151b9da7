#include <gtest/gtest.h>

#include "tests/core/base/platform/child_program.h"

namespace phiscope {
namespace {

TEST(BecomeProgram, KeepsProcessAndStreams) {
  const auto child = *test::start_child({"become", "echo"});
  ASSERT_TRUE(child->send_line("same pipes"));
  EXPECT_EQ(*child->receive_line(60), "same pipes");
}

TEST(BecomeProgram, SaysWhyItCannot) {
  EXPECT_EQ(platform::become_program({"/proc/none"}).message, "/proc/none: cannot run this program: No such file or directory");
  EXPECT_EQ(platform::become_program({}).code, ErrorCode::invalid_argument);
}

TEST(StopHandler, CatchesStopsAndIgnoresClosedPipes) { EXPECT_EQ(*(*test::start_child({"signals"}))->receive_line(60), "survived"); }

}  // namespace
}  // namespace phiscope
