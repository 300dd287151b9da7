// Constants: scipy 1.17.1 (binomtest, its Wilson interval, chi2.sf), or by hand where a comment says so.
#include "core/stats/proportion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace phiscope::stats {
namespace {

TEST(WilsonInterval, EqualsScipyAndStaysInsideZeroAndOne) {
  EXPECT_NEAR(wilson_interval(7, 10).low, 0.39677814746114526, 1e-14);
  EXPECT_NEAR(wilson_interval(7, 10).high, 0.892208732593699, 1e-14);
  EXPECT_NEAR(wilson_interval(431, 500).low, 0.8289979864047199, 1e-14);
  EXPECT_NEAR(wilson_interval(431, 500).high, 0.8894819911011163, 1e-14);
  EXPECT_NEAR(wilson_interval(0, 10).low, 0, 1e-15);
  EXPECT_NEAR(wilson_interval(0, 10).high, 0.27753279986288926, 1e-14);
  EXPECT_NEAR(wilson_interval(10, 10).low, 0.7224672001371109, 1e-14);
  EXPECT_NEAR(wilson_interval(10, 10).high, 1, 1e-15);
}

TEST(ProportionStandardError, DividesByNMinusOne) {
  EXPECT_DOUBLE_EQ(proportion_standard_error(0.5, 101), 0.05);  // sqrt(.25 / 100)
  EXPECT_TRUE(std::isnan(proportion_standard_error(1, 1)));
}

TEST(McNemar, IsTheExactBinomialForFewFlips) {
  EXPECT_DOUBLE_EQ(mcnemar_p({.lost = 3, .gained = 12, .n = 100}), 0.03515625);
  EXPECT_DOUBLE_EQ(mcnemar_p({.lost = 12, .gained = 3, .n = 100}), 0.03515625);
  EXPECT_EQ(mcnemar_p({.lost = 5, .gained = 5, .n = 100}), 1);
  EXPECT_EQ(mcnemar_p({.lost = 0, .gained = 1, .n = 100}), 1);
  EXPECT_DOUBLE_EQ(mcnemar_p({.lost = 0, .gained = 6, .n = 100}), 0.03125);
  EXPECT_NEAR(mcnemar_p({.lost = 10, .gained = 14, .n = 100}), 0.5412561893463135, 1e-14);
  EXPECT_DOUBLE_EQ(mcnemar_p({.lost = 24, .gained = 0, .n = 100}), 1.1920928955078125e-07);
  EXPECT_EQ(mcnemar_p({.lost = 0, .gained = 0, .n = 100}), 1);
}

TEST(McNemar, IsChiSquaredWithContinuityFromTwentyFiveFlips) {
  EXPECT_NEAR(mcnemar_p({.lost = 30, .gained = 12, .n = 500}), 0.008711912962379598, 1e-15);
  EXPECT_EQ(mcnemar_p({.lost = 13, .gained = 12, .n = 500}), 1);
  EXPECT_NEAR(mcnemar_p({.lost = 100, .gained = 40, .n = 500}), 6.151150724068364e-07, 1e-20);
}

TEST(CountFlips, TellsLostFromGained) {
  const std::vector<uint8_t> reference{1, 1, 0, 0, 1, 0};
  const std::vector<uint8_t> candidate{1, 0, 1, 0, 0, 0};
  const Flips flips = count_flips(reference, candidate);
  EXPECT_EQ(flips.lost, 2);
  EXPECT_EQ(flips.gained, 1);
  EXPECT_EQ(flips.n, 6);
}

TEST(PairedShareDifference, HasTheStandardErrorOfTheFlips) {
  // By hand: b = 30, c = 12, n = 500: difference -18/500; SE = sqrt(42 - 324/500)/500.
  const Interval interval = paired_share_difference({.lost = 30, .gained = 12, .n = 500});
  EXPECT_DOUBLE_EQ(interval.estimate, -0.036);
  const double standard_error = std::sqrt(42 - 324.0 / 500) / 500;
  EXPECT_NEAR(interval.low, -0.036 - 1.959963984540054 * standard_error, 1e-15);
  EXPECT_NEAR(interval.high, -0.036 + 1.959963984540054 * standard_error, 1e-15);
}

TEST(PairedShareDifference, OfEqualAnswersIsExactlyZero) {
  const Interval interval = paired_share_difference({.lost = 0, .gained = 0, .n = 500});
  EXPECT_EQ(interval.estimate, 0);
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 0);
}

TEST(MinimumDetectableEffect, GrowsWithTheRootOfTheFlips) {
  EXPECT_DOUBLE_EQ(minimum_detectable_effect({.lost = 20, .gained = 5, .n = 500}), 2.8 * 5 / 500);  // by hand
}

TEST(Holm, AdjustsStepDownAndKeepsTheOrder) {
  // By hand: sorted .01 .02 .03 .04 times 4, 3, 2, 1 = .04 .06 .06 .04, made monotone: .04 .06 .06 .06.
  const std::vector<double> adjusted = holm_adjust(std::vector<double>{0.02, 0.01, 0.04, 0.03});
  ASSERT_EQ(adjusted.size(), 4U);
  EXPECT_DOUBLE_EQ(adjusted[0], 0.06);
  EXPECT_DOUBLE_EQ(adjusted[1], 0.04);
  EXPECT_DOUBLE_EQ(adjusted[2], 0.06);
  EXPECT_DOUBLE_EQ(adjusted[3], 0.06);
  EXPECT_EQ(holm_adjust(std::vector<double>{0.9, 0.8})[0], 1);
  EXPECT_TRUE(holm_adjust({}).empty());
}

TEST(PairsNeeded, FollowsTheSquareOfNoiseOverEffect) {
  EXPECT_EQ(pairs_needed(0.02, 0.02), 8);   // 2.8² = 7.84
  EXPECT_EQ(pairs_needed(0.03, 0.01), 71);  // 8.4² = 70.56
}

}  // namespace
}  // namespace phiscope::stats
