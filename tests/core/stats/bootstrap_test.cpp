// Expected intervals: percentile bootstrap with numpy 2.4.6 (default_rng(1), 1,000,000 resamples; 60,000 for the chunk quantiles). Ours draws
// 10,000, so its ends differ by Monte Carlo noise: the tolerances are about 4 standard errors of a 2.5 % percentile at that count, which for the
// discrete distributions of few units means at most one step.
#include "core/stats/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/stats/random.h"

namespace phiscope::stats {
namespace {

const std::vector<double> kReference{20.1, 20.4, 19.8, 20.2, 20.0, 20.3, 19.9, 20.5};
const std::vector<double> kCandidate{30.4, 30.2, 29.6, 30.5, 30.1, 31.0, 29.7, 30.8};
const std::vector<double> kSkewed{3.1, 2.7, 4.4, 5.0, 2.2, 3.9, 4.1, 3.3, 2.9, 6.2, 3.0, 3.6};

TEST(Bootstrap, OfTwoUnitsHasTheDistributionThatCanBeCountedByHand) {
  // Mean of two draws from {0, 1}: 0 with 1/4, 1/2 with 1/2, 1 with 1/4.
  const std::vector<double> values{0, 1};
  const Interval wide = bootstrap_mean(values);
  EXPECT_EQ(wide.estimate, 0.5);
  EXPECT_EQ(wide.low, 0);
  EXPECT_EQ(wide.high, 1);
  const Interval narrow = bootstrap_mean(values, {.confidence = 0.4});  // 30 % .. 70 %: inside the middle half
  EXPECT_EQ(narrow.low, 0.5);
  EXPECT_EQ(narrow.high, 0.5);
}

TEST(Bootstrap, OfTheMeanAndTheMedianAgreesWithNumpy) {
  const Interval center = bootstrap_mean(kSkewed);
  EXPECT_DOUBLE_EQ(center.estimate, 3.7);
  EXPECT_NEAR(center.low, 3.14166667, 0.03);
  EXPECT_NEAR(center.high, 4.33333333, 0.04);
  const Interval middle = bootstrap_median(kSkewed);
  EXPECT_DOUBLE_EQ(middle.estimate, 3.45);
  EXPECT_NEAR(middle.low, 2.95, 0.051);
  EXPECT_NEAR(middle.high, 4.25, 0.051);
}

TEST(Bootstrap, GivesTheSameBitsEveryTimeAndOthersForAnotherSeed) {
  const Interval a = bootstrap_mean(kSkewed);
  const Interval b = bootstrap_mean(kSkewed);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  const Interval c = bootstrap_mean(kSkewed, {.resamples = 500, .seed = 99});
  EXPECT_TRUE(c.low != a.low || c.high != a.high);
}

TEST(PairedRatio, AgreesWithNumpy) {
  const Interval ratio = paired_ratio(kReference, kCandidate);
  EXPECT_NEAR(ratio.estimate, 1.5037189669972635, 1e-14);
  EXPECT_NEAR(ratio.low, 1.49246231, 2e-3);
  EXPECT_NEAR(ratio.high, 1.51243781, 2e-3);
}

TEST(PairedRatio, OfASetWithItselfIsExactlyOne) {
  const Interval ratio = paired_ratio(kReference, kReference);
  EXPECT_EQ(ratio.estimate, 1);
  EXPECT_EQ(ratio.low, 1);
  EXPECT_EQ(ratio.high, 1);
}

TEST(PairedRatio, ContainsOneWhenTheOrderOfTheSidesIsChance) {
  // Both sides share a drift that unpaired resampling would count as noise.
  const std::vector<double> a{10, 20, 30, 40, 50, 60, 70, 80};
  const std::vector<double> b{10.1, 19.8, 30.3, 39.6, 50.5, 59.4, 70.7, 79.2};
  const Interval paired = paired_ratio(a, b);
  EXPECT_LT(paired.low, 1);
  EXPECT_GT(paired.high, 1);
  EXPECT_LT(paired.high - paired.low, 0.05);
  const Interval unpaired = unpaired_ratio(a, b);
  EXPECT_GT(unpaired.high - unpaired.low, 0.5);
}

TEST(UnpairedRatio, AgreesWithNumpy) {
  const Interval ratio = unpaired_ratio(kReference, kCandidate);
  EXPECT_NEAR(ratio.estimate, 1.5037220843672456, 1e-14);
  EXPECT_NEAR(ratio.low, 1.47394541, 4e-3);
  EXPECT_NEAR(ratio.high, 1.53233831, 4e-3);
}

const std::vector<ChunkSum> kChunks0{{510.2, 255}, {480.1, 255}, {530.9, 255}, {495.5, 255}, {505.0, 255}, {520.7, 120}};
const std::vector<ChunkSum> kChunks1{{515.0, 255}, {490.3, 255}, {533.1, 255}, {501.2, 255}, {511.9, 255}, {523.0, 120}};

TEST(ChunkMean, WeighsChunksByTheirPositionsAndAgreesWithNumpy) {
  const Interval interval = chunk_mean(kChunks1);
  EXPECT_NEAR(interval.estimate, 2.203942652329749, 1e-14);
  EXPECT_NEAR(interval.low, 1.9672549, 0.01);
  EXPECT_NEAR(interval.high, 2.768, 0.05);
}

TEST(PairedChunks, AgreeWithNumpyAndAreFarTighterThanEitherSide) {
  const Interval difference = paired_chunk_difference(kChunks0, kChunks1);
  EXPECT_NEAR(difference.estimate, 0.02301075268817202, 1e-13);
  EXPECT_NEAR(difference.low, 0.01509804, 1e-3);
  EXPECT_NEAR(difference.high, 0.03137255, 1e-3);
  const Interval ratio = paired_chunk_ratio(kChunks0, kChunks1);
  EXPECT_NEAR(ratio.estimate, 1.010550880883513, 1e-13);
  EXPECT_NEAR(ratio.low, 1.00627231, 5e-4);
  EXPECT_NEAR(ratio.high, 1.01537482, 5e-4);
}

TEST(PairedChunks, OfATextWithItselfDifferByExactlyZero) {
  const Interval difference = paired_chunk_difference(kChunks0, kChunks0);
  EXPECT_EQ(difference.estimate, 0);
  EXPECT_EQ(difference.low, 0);
  EXPECT_EQ(difference.high, 0);
}

TEST(ChunkQuantiles, AgreeWithNumpy) {
  const std::vector<std::vector<double>> a{{.1, .2, .9}, {.3, .4}, {1.5, .05, .6}, {.7, .8, .15, .25}};
  const std::vector<std::vector<double>> b{{.2, .2, 1.0}, {.35, .5}, {1.9, .05, .7}, {.8, .9, .15, .35}};
  const BootstrapOptions many{.resamples = 10000};
  const Interval difference = paired_chunk_quantile_difference(a, b, 0.75, many);
  EXPECT_NEAR(difference.estimate, 0.1, 1e-14);
  EXPECT_NEAR(difference.low, 0.1, 1e-12);
  EXPECT_NEAR(difference.high, 0.175, 0.026);
  const Interval paired = chunk_quantile_ratio(a, b, 0.75, true, many);
  EXPECT_NEAR(paired.estimate, 1.1379310344827587, 1e-14);
  EXPECT_NEAR(paired.low, 1.11111111, 1e-6);
  EXPECT_NEAR(paired.high, 1.25, 0.03);
  const Interval unpaired = chunk_quantile_ratio(a, b, 0.75, false, many);
  EXPECT_NEAR(unpaired.low, 0.64516129, 0.06);
  EXPECT_NEAR(unpaired.high, 2.1875, 0.2);
}

// The 3^3 draws counted out: P(median <= 2) = 0.148, so the 2.5 % point is 2; P(<= 6) = 0.963, so the 97.5 % point is 7.
TEST(ChunkQuantiles, OfOneTextAgreeWithCountingEveryDraw) {
  const std::vector<std::vector<double>> chunks{{1, 2, 3}, {4, 5}, {7}};
  const Interval median = chunk_quantile(chunks, 0.5);
  EXPECT_EQ(median.estimate, 3.5);  // numpy.quantile([1, 2, 3, 4, 5, 7], 0.5)
  EXPECT_EQ(median.low, 2);
  EXPECT_EQ(median.high, 7);
}

TEST(PairedRatio, CoversTheTruthAboutAsOftenAsItClaims) {
  // 200 experiments of 20 pairs with a true ratio of 1.03 and about 2 % noise. A 95 % interval misses about 10 times; more than 24 misses
  // would happen by chance less than once in 10,000.
  Random random(42);
  const auto noise = [&random] {  // sum of 12 uniforms: nearly normal, SD 1
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += random.next() / 4294967296.0;
    return sum - 6;
  };
  int missed = 0;
  for (int experiment = 0; experiment < 200; ++experiment) {
    std::vector<double> reference, candidate;
    for (int pair = 0; pair < 20; ++pair) {
      reference.push_back(100 * std::exp(0.02 * noise()));
      candidate.push_back(103 * std::exp(0.02 * noise()));
    }
    const Interval ratio = paired_ratio(reference, candidate, {.resamples = 1000});
    if (ratio.low > 1.03 || ratio.high < 1.03) ++missed;
  }
  EXPECT_LE(missed, 24);
  EXPECT_GE(missed, 1);
}

}  // namespace
}  // namespace phiscope::stats
