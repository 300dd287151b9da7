#include "core/bench/repetitions.h"

#include <gtest/gtest.h>

namespace phiscope::bench {
namespace {

TEST(WarmUp, EndsWhenTwoConsecutiveValuesAreWithinTwoPercent) {
  WarmUp warm(5);
  warm.add(100);
  EXPECT_FALSE(warm.done());
  warm.add(150);
  EXPECT_FALSE(warm.done());
  warm.add(152);
  EXPECT_TRUE(warm.done());
}

TEST(WarmUp, EndsAtItsCapWhenNeverStable) {
  WarmUp warm(3);
  for (const double value : {1.0, 2.0, 4.0}) {
    EXPECT_FALSE(warm.done());
    warm.add(value);
  }
  EXPECT_TRUE(warm.done());
}

TEST(WarmUp, OfASlowModelEndsAtItsTime) {
  WarmUp warm(5, 3);
  warm.add(1, 2);
  EXPECT_FALSE(warm.done());
  warm.add(2, 2);
  EXPECT_TRUE(warm.done());
}

TEST(Repetitions, OfASlowModelGiveUpTheMinimumAfterFiveTimeCaps) {
  Repetitions repetitions({.min = 10, .max = 20, .max_seconds = 1, .relative_sd = 0.01});
  repetitions.add(100, 60);
  EXPECT_FALSE(repetitions.done());  // one value has no spread
  repetitions.add(110, 60);
  EXPECT_TRUE(repetitions.done());
  EXPECT_EQ(repetitions.reason(), "time cap 1 s: relative SD 6.73 % after 2");
}

TEST(Repetitions, StopWhenStableAfterTheMinimum) {
  Repetitions repetitions({.min = 3, .max = 10, .max_seconds = 100, .relative_sd = 0.01});
  repetitions.add(100, 1);
  repetitions.add(100.1, 1);
  EXPECT_FALSE(repetitions.done());
  repetitions.add(99.9, 1);
  EXPECT_TRUE(repetitions.done());
  EXPECT_TRUE(repetitions.is_stable());
  EXPECT_EQ(repetitions.reason(), "stable: relative SD 0.10 % after 3");
}

TEST(Repetitions, StopAtTheCountCapAndSayHowNoisyTheyWere) {
  Repetitions repetitions({.min = 2, .max = 4, .max_seconds = 100, .relative_sd = 0.01});
  for (const double value : {90.0, 110.0, 90.0}) repetitions.add(value, 1);
  EXPECT_FALSE(repetitions.done());
  repetitions.add(110, 1);
  EXPECT_TRUE(repetitions.done());
  // sd of {90, 110, 90, 110} is sqrt(400 / 3) = 11.547, the mean 100
  EXPECT_EQ(repetitions.reason(), "count cap 4: relative SD 11.55 %");
}

TEST(Repetitions, StopAtTheTimeCapButNeverBeforeTheMinimum) {
  Repetitions repetitions({.min = 2, .max = 10, .max_seconds = 3, .relative_sd = 0.01});
  repetitions.add(90, 3);
  EXPECT_FALSE(repetitions.done());
  repetitions.add(110, 3);
  EXPECT_TRUE(repetitions.done());
  EXPECT_EQ(repetitions.reason(), "time cap 3 s: relative SD 14.14 % after 2");
}

}  // namespace
}  // namespace phiscope::bench
