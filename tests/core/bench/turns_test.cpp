#include "core/bench/turns.h"

#include <gmock/gmock.h>

#include <map>

namespace phiscope::bench {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

TurnRules rules(int64_t min, int64_t max) {
  TurnRules r;
  r.limits = {.min = min, .max = max, .max_seconds = 1000, .relative_sd = 0.01};
  return r;
}

StepOutcome outcome(double primary, std::string disturbance = {}) {
  StepOutcome o;
  o.primary = primary;
  o.seconds = 0.01;
  o.disturbance = std::move(disturbance);
  return o;
}

const Keep kKeepNothing = [](size_t, StepOutcome, int64_t, bool) {};

TEST(Turns, GoForwardAndBack) {
  std::string order;
  const auto repeat = [&](size_t member, uint64_t) {
    order += static_cast<char>('A' + member);
    return std::optional(outcome(100));
  };
  (void)take_turns(3, rules(4, 4), 0, repeat, kKeepNothing);
  EXPECT_EQ(order, "ABCCBAABCCBA");
}

TEST(Turns, EqualPairsSettleAtTheLeastNumberOfPairs) {
  // A drift of 30 % that both share: each alone is noisy, their ratio is exactly 1.
  std::map<size_t, int> calls;
  const auto repeat = [&](size_t member, uint64_t) { return std::optional(outcome(100 * (1 + 0.1 * (calls[member]++ % 4)))); };
  const auto results = take_turns(2, rules(5, 50), 0, repeat, kKeepNothing);
  EXPECT_EQ(calls[0], 6);  // fewer than 6 pairs have no interval
  EXPECT_THAT(results[1].reason, StartsWith("pairs settled: interval of the ratio ±0.00 % after 6 pairs"));
  EXPECT_TRUE(results[1].is_settled);
}

TEST(Turns, NoisyPairsGoOnUntilTheCountCap) {
  std::map<size_t, int> calls;
  const auto repeat = [&](size_t member, uint64_t) {
    const int call = calls[member]++;
    return std::optional(outcome(member == 0 ? 100 : call % 2 == 0 ? 90 : 110));
  };
  const auto results = take_turns(2, rules(5, 20), 0, repeat, kKeepNothing);
  EXPECT_EQ(calls[1], 20);
  EXPECT_THAT(results[1].reason, StartsWith("count cap 20: interval of the ratio ±"));
  EXPECT_FALSE(results[1].is_settled);
}

TEST(Turns, ADisturbedRepetitionIsKeptMarkedAndMeasuredAgainAtOnce) {
  std::vector<uint64_t> seeds;
  const auto repeat = [&](size_t, uint64_t seed) {
    seeds.push_back(seed);
    return std::optional(seeds.size() == 2 ? outcome(50, "waited 40.0 %") : outcome(100));
  };
  std::vector<std::string> kept;
  const Keep keep = [&](size_t, StepOutcome o, int64_t repetition, bool is_final) {
    kept.push_back(fmt::format("{} {} {} {}", repetition, o.primary, o.disturbance, is_final));
  };
  const auto results = take_turns(1, rules(3, 3), 7, repeat, keep);
  EXPECT_THAT(kept, ElementsAre("0 100  true", "1 50 waited 40.0 % false", "1 100  true", "2 100  true"));
  EXPECT_EQ(results[0].repeated, 1);
  EXPECT_EQ(results[0].kept_disturbed, 0);
  EXPECT_EQ(results[0].disturbance, "waited 40.0 %");
  EXPECT_TRUE(results[0].is_settled);  // the disturbed value is not in the spread
  std::sort(seeds.begin(), seeds.end());
  EXPECT_EQ(std::unique(seeds.begin(), seeds.end()), seeds.end());  // no prompt twice
}

TEST(Turns, WhenEveryRepetitionIsDisturbedTheyAreKeptAndCounted) {
  int calls = 0;
  const auto repeat = [&](size_t, uint64_t) {
    ++calls;
    return std::optional(outcome(100, "steal 9 %"));
  };
  TurnRules r = rules(3, 3);
  r.max_repeats = 2;
  const auto results = take_turns(1, r, 0, repeat, kKeepNothing);
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(results[0].repeated, 2);
  EXPECT_EQ(results[0].kept_disturbed, 3);
}

TEST(Turns, AMemberThatFailsLeavesAndTheOthersGoOn) {
  std::map<size_t, int> calls;
  const auto repeat = [&](size_t member, uint64_t) -> std::optional<StepOutcome> {
    if (++calls[member] == 2 && member == 0) return std::nullopt;
    return outcome(100);
  };
  const auto results = take_turns(3, rules(6, 20), 0, repeat, kKeepNothing);
  EXPECT_FALSE(results[0].is_member);
  EXPECT_EQ(calls[0], 2);
  EXPECT_EQ(calls[1], 6);
  EXPECT_TRUE(results[2].is_settled);
}

}  // namespace
}  // namespace phiscope::bench
