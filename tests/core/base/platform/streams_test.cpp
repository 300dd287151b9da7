#include "core/base/platform/streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/platform/descriptor.h"
#include "tests/core/base/platform/child_program.h"

namespace phiscope {
namespace {

using platform::Descriptor;

TEST(WriteAll, ToAPipeThatNobodyReadsIsAnErrorAndNoSignal) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Descriptor reader(ends[0]), writer(ends[1]);
  ASSERT_TRUE(platform::write_all(writer.get(), "text"));
  reader.reset();
  EXPECT_EQ(platform::write_all(writer.get(), "text").error().code, ErrorCode::crashed);
}

TEST(WriteAll, SaysWhyTheSystemRefuses) {
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.is_open());
  const Status written = platform::write_all(full.get(), "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write to the stream: No space left on device");
}

TEST(TakeStdout, KeepsTheProtocolCleanOfWhatLibrariesPrint) {
  std::vector<std::string> noise;
  const auto child = *platform::ChildProcess::start({.arguments = {test::child_program(), "spoil-stdout"},
                                                     .environment = {},
                                                     .on_stderr_line = [&](std::string_view line) { noise.emplace_back(line); }});
  EXPECT_EQ(*child->receive_line(60), "protocol");
  EXPECT_EQ(child->receive_line(60).error().code, ErrorCode::crashed);  // end of file, no further line
  EXPECT_EQ(child->wait(60).status, 0);
  EXPECT_EQ(noise, (std::vector<std::string>{"noise of a library"}));
}

}  // namespace
}  // namespace phiscope
