#include "core/base/log.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace phiscope {
namespace {

class Log : public testing::Test {
 protected:
  ~Log() override { log::set_sink({}); }
};

TEST_F(Log, PassesLevelAndTextToTheSink) {
  std::vector<std::pair<log::Level, std::string>> seen;
  log::set_sink([&](log::Level level, std::string_view text) { seen.emplace_back(level, text); });
  log::warning("{} of {}", 1, 2);
  log::debug("x");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0], std::pair(log::Level::warning, std::string("1 of 2")));
  EXPECT_EQ(seen[1].first, log::Level::debug);
}

TEST_F(Log, DiscardsWithoutASink) {
  log::set_sink({});
  log::info("nobody listens");
}

TEST_F(Log, LetsASinkLogAndReplaceItself) {
  int calls = 0;
  log::set_sink([&](log::Level, std::string_view) {
    if (++calls == 1) log::set_sink([&](log::Level, std::string_view) { calls += 10; });
    if (calls == 1) log::info("again");
  });
  log::info("first");
  EXPECT_EQ(calls, 11);
}

TEST_F(Log, IsSafeWhileThreadsWriteAndTheSinkChanges) {
  std::atomic<int> count{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([] {
      for (int i = 0; i < 500; ++i) log::info("{}", i);
    });
  for (int i = 0; i < 200; ++i) log::set_sink([&count](log::Level, std::string_view) { ++count; });
  for (std::thread& writer : writers) writer.join();
  EXPECT_LE(count.load(), 2000);
}

}  // namespace
}  // namespace phiscope
