#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "tests/core/base/platform/child_program.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using platform::ChildProcess;
using test::child_program;
using test::start_child;

constexpr double kLong = 60;  // seconds; reached only when the code under test is broken

TEST(ChildProcess, AnswersLineByLine) {
  const auto child = *start_child({"echo"});
  for (const std::string line : {"one", "", "{\"type\": \"open\"}"}) {
    ASSERT_TRUE(child->send_line(line));
    EXPECT_EQ(*child->receive_line(kLong), line);
  }
  child->close_stdin();
  const ChildProcess::Exit exit = child->wait(kLong);
  EXPECT_EQ(exit.status, 0);
  EXPECT_EQ(exit.describe(), "ended by itself");
}

TEST(ChildProcess, PassesLinesOfManyMegabytes) {
  const auto child = *start_child({"long-line", "20000000"});
  EXPECT_EQ(child->receive_line(kLong)->size(), 20'000'000u);
}

TEST(ChildProcess, SaysWhichProgramCannotRun) {
  const test::TemporaryFolder folder;
  const auto missing = ChildProcess::start({.arguments = {folder / "none"}, .environment = {}, .on_stderr_line = {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().message, (folder / "none").string() + ": cannot run this program: No such file or directory");
  ASSERT_TRUE(write_file(folder / "text", "not a program"));
  EXPECT_EQ(ChildProcess::start({.arguments = {folder / "text"}, .environment = {}, .on_stderr_line = {}}).error().code, ErrorCode::io);
  EXPECT_EQ(ChildProcess::start({}).error().code, ErrorCode::invalid_argument);
}

TEST(ChildProcess, IsHungAfterSilence) {
  const auto child = *start_child({"silent"});
  const auto line = child->receive_line(0.05);
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::hung);
  EXPECT_NE(line.error().message.find("was silent for 50 ms"), std::string::npos) << line.error().message;
  const ChildProcess::Exit exit = child->wait(0);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.describe(), "was stopped by Phiscope");
}

TEST(ChildProcess, WaitsForEverWithoutALimitUntilInterrupted) {
  const auto child = *start_child({"silent"});
  std::thread other([&] { child->interrupt(); });
  const auto line = child->receive_line(0);
  other.join();
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::cancelled);
}

TEST(ChildProcess, GoesOnAfterAnInterrupt) {
  const auto child = *start_child({"echo"});
  child->interrupt();
  EXPECT_EQ(child->receive_line(kLong).error().code, ErrorCode::cancelled);
  ASSERT_TRUE(child->send_line("still there"));
  EXPECT_EQ(*child->receive_line(kLong), "still there");
}

TEST(ChildProcess, ReportsACrashWithItsSignal) {
  const auto child = *start_child({"signal", std::to_string(SIGFPE)});
  EXPECT_EQ(*child->receive_line(kLong), "about to die");
  const auto line = child->receive_line(kLong);
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::crashed);
  EXPECT_NE(line.error().message.find("was killed by signal 8 (SIGFPE)"), std::string::npos) << line.error().message;
  EXPECT_EQ(child->wait(kLong).signal, SIGFPE);
}

TEST(ChildProcess, SuspectsTheOutOfMemoryKillerWhenSomebodyElseKills) {
  const auto child = *start_child({"silent"});
  ::kill(child->process_id(), SIGKILL);
  const auto line = child->receive_line(kLong);
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().code, ErrorCode::crashed);
  EXPECT_NE(line.error().message.find("was killed by signal 9 (SIGKILL), which the kernel's out-of-memory killer sends"), std::string::npos)
      << line.error().message;
}

TEST(ChildProcess, ReportsAnExitStatus) {
  const auto child = *start_child({"exit", "7"});
  const auto line = child->receive_line(kLong);
  EXPECT_EQ(line.error().code, ErrorCode::crashed);
  EXPECT_NE(line.error().message.find("ended with exit status 7"), std::string::npos) << line.error().message;
  EXPECT_EQ(child->wait(kLong).status, 7);
  EXPECT_EQ(child->wait(kLong).status, 7);
}

TEST(ChildProcess, SendingToADeadChildIsAnErrorAndNoSignal) {
  const auto child = *start_child({"exit", "0"});
  child->wait(kLong);
  Status sent;
  while (sent) sent = child->send_line(std::string(1000, 'x'));
  EXPECT_EQ(sent.error().code, ErrorCode::crashed);
}

TEST(ChildProcess, SendingToAChildThatReadsNothingCanBeInterrupted) {
  const auto child = *start_child({"silent"});
  child->interrupt();
  const Status sent = child->send_line(std::string(1'000'000, 'x'));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::cancelled);
}

TEST(ChildProcess, DeliversEveryStderrLineBeforeWaitReturns) {
  std::vector<std::string> lines;
  const auto child = *ChildProcess::start({.arguments = {child_program(), "stderr"},
                                           .environment = {},
                                           .on_stderr_line = [&](std::string_view line) { lines.emplace_back(line); }});
  EXPECT_EQ(child->wait(kLong).status, 3);
  EXPECT_EQ(lines, (std::vector<std::string>{"first", "second", "unfinished"}));
}

TEST(ChildProcess, ReadsBothStreamsOfAFlood) {
  std::atomic<int> stderr_lines{0};
  const auto child = *ChildProcess::start(
      {.arguments = {child_program(), "flood", "5000"}, .environment = {}, .on_stderr_line = [&](std::string_view) { ++stderr_lines; }});
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(child->receive_line(kLong)) << i;
  EXPECT_EQ(child->wait(kLong).status, 0);
  EXPECT_EQ(stderr_lines.load(), 5000);
}

TEST(ChildProcess, AddsToAndReplacesTheEnvironment) {
  ::setenv("PHISCOPE_TEST_VARIABLE", "ours", 1);
  EXPECT_EQ(*(*start_child({"variable", "PHISCOPE_TEST_VARIABLE"}))->receive_line(kLong), "ours");
  const auto child = *ChildProcess::start({.arguments = {child_program(), "variable", "PHISCOPE_TEST_VARIABLE"},
                                           .environment = {{"PHISCOPE_TEST_VARIABLE", "theirs"}},
                                           .on_stderr_line = {}});
  EXPECT_EQ(*child->receive_line(kLong), "theirs");
  ::unsetenv("PHISCOPE_TEST_VARIABLE");
}

// A sibling that inherits the other's pipe would keep it open: end of file would never arrive.
TEST(ChildProcess, InheritsNothingFromItsSiblings) {
  const auto first = *start_child({"echo"});
  const auto second = *start_child({"descriptors"});
  EXPECT_EQ(*second->receive_line(kLong), "3");
  const auto third = *start_child({"silent"});
  first->close_stdin();
  EXPECT_EQ(first->wait(kLong).status, 0);
}

TEST(ChildProcess, HasAProcessGroupOfItsOwn) { EXPECT_EQ(*(*start_child({"group"}))->receive_line(kLong), "own"); }

TEST(ChildProcess, DiesWithItsParent) {
  const auto parent = *start_child({"parent", child_program()});
  const int grandchild = std::stoi(*parent->receive_line(kLong));
  parent->kill();
  parent->wait(kLong);
  const int64_t limit_ns = monotonic_ns() + static_cast<int64_t>(kLong * 1e9);
  const auto is_running = [&] {  // a zombie that nobody reaps yet is dead
    const auto status = read_file("/proc/" + std::to_string(grandchild) + "/status");
    return status && status->find("State:\tZ") == std::string::npos;
  };
  while (is_running() && monotonic_ns() < limit_ns) std::this_thread::yield();
  EXPECT_FALSE(is_running());
}

TEST(ChildProcess, OutlivesTheThreadThatStartedIt) {
  std::unique_ptr<ChildProcess> child;
  std::thread([&] { child = *start_child({"echo"}); }).join();
  ASSERT_TRUE(child->send_line("alive"));
  EXPECT_EQ(*child->receive_line(kLong), "alive");
}

TEST(ChildProcess, CanBeKilledFromAnotherThread) {
  const auto child = *start_child({"silent"});
  std::thread other([&] { child->kill(); });
  EXPECT_EQ(child->receive_line(kLong).error().code, ErrorCode::crashed);
  other.join();
  EXPECT_TRUE(child->wait(kLong).was_stopped_by_us);
}

}  // namespace
}  // namespace phiscope
