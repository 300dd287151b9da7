#include <gtest/gtest.h>

#include <map>

#include "core/base/platform/platform.h"

namespace phiscope {
namespace {

TEST(DescribeMachine, HasTheFactsThatEveryMachineTells) {
  std::map<std::string, std::string> facts;
  for (const auto& [key, value] : platform::describe_machine()) {
    EXPECT_FALSE(value.empty()) << key;
    EXPECT_TRUE(facts.emplace(key, value).second) << key << " appears twice";
  }
  for (const char* key : {"kernel", "cpu", "cpu_usable_cores", "memory_bytes"}) EXPECT_TRUE(facts.contains(key)) << key;
}

TEST(SystemLoad, TicksNeverGoBack) {
  const auto before = platform::system_load(), after = platform::system_load();
  EXPECT_GT(before.busy_ticks + before.idle_ticks, 0u);
  EXPECT_GE(after.busy_ticks, before.busy_ticks);
  EXPECT_GE(after.involuntary_switches, before.involuntary_switches);
  EXPECT_GE(before.load_average_1min, 0);
}

TEST(TerminalWidth, IsPositive) { EXPECT_GT(platform::terminal_width(), 0); }

}  // namespace
}  // namespace phiscope
