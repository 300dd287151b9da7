#include "core/bench/disturbance.h"

#include <gtest/gtest.h>

#include "core/base/clock.h"

namespace phiscope::bench {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

Conditions at(double seconds) {
  Conditions c;
  c.time_ns = static_cast<int64_t>(seconds * 1e9);
  c.counters.has_waited = true;
  return c;
}

TEST(Disturbance, AQuietBlockHasNoMark) {
  Conditions before = at(1), after = at(2);
  after.counters.cpu_ns = kSecond;
  after.counters.busy_ns = kSecond;
  after.counters.waited_ns = 5'000'000;  // 0.5 %
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "");
}

TEST(Disturbance, WaitingForACpuIsSeenInShortBlocks) {
  Conditions before = at(1), after = at(1.02);
  after.counters.waited_ns = 150'000;  // 0.75 %: also below the floor
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "");
  after.counters.waited_ns = 2'000'000;  // 10 % of 20 ms
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "waited 10.0 %");
}

TEST(Disturbance, StolenTimeIsSeen) {
  Conditions before = at(1), after = at(2);
  after.counters.steal_ns = 10'000'000;
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "");
  after.counters.steal_ns = 60'000'000;
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "steal 6 %");
}

TEST(Disturbance, LoadOnOtherCoresIsSeen) {
  Conditions before = at(1), after = at(2);
  after.counters.cpu_ns = kSecond;
  after.counters.busy_ns = kSecond + kSecond / 2;
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "other load 50 %");
}

TEST(Disturbance, ThrottlingAndAFallingClockAreSeen) {
  Conditions before = at(1), after = at(2);
  after.counters.throttle_events = 1;
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "throttled");
  DisturbanceJudge judge;
  before = at(1), after = at(2);
  before.counters.frequency_mhz = after.counters.frequency_mhz = 3000;
  EXPECT_EQ(judge.judge(before, after), "");
  before.counters.frequency_mhz = 2000;
  after.counters.frequency_mhz = 2100;
  EXPECT_EQ(judge.judge(before, after), "clock -30 %");
}

TEST(Disturbance, WithoutRunQueueTimesTheSwitchesTell) {
  Conditions before = at(1), after = at(1.1);
  after.counters.has_waited = before.counters.has_waited = false;
  after.counters.involuntary_switches = 4;  // 40 a second
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "");
  after.counters.involuntary_switches = 9;
  EXPECT_EQ(DisturbanceJudge().judge(before, after), "switched out 9 times");
}

TEST(Disturbance, CountersOfThisProcessGrow) {
  const Conditions before = read_conditions(0);
  volatile double sink = 0;
  while (monotonic_ns() - before.time_ns < 30'000'000) sink = sink + 1;
  const Conditions after = read_conditions(0);
  EXPECT_GT(after.time_ns, before.time_ns);
  EXPECT_GE(after.counters.busy_ns, before.counters.busy_ns);
  if (after.counters.has_waited) {
    EXPECT_GT(after.counters.cpu_ns, before.counters.cpu_ns);
  }
}

}  // namespace
}  // namespace phiscope::bench
