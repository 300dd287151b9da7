// Constants: numpy 2.4.6 and scipy 1.17.1 on kValues (np.quantile, x.var(ddof=1), scipy.stats.sem, scipy.stats.iqr).
#include "core/stats/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace phiscope::stats {
namespace {

const std::vector<double> kValues{12.5, 11.25, 13.0, 12.0, 14.75, 11.5, 12.25, 30.0, 12.125, 11.875};

TEST(Mean, AndSpreadEqualNumpy) {
  EXPECT_DOUBLE_EQ(mean(kValues), 14.125);
  EXPECT_DOUBLE_EQ(sample_variance(kValues), 32.0625);
  EXPECT_DOUBLE_EQ(sample_sd(kValues), std::sqrt(32.0625));
  EXPECT_DOUBLE_EQ(standard_error(kValues), 1.7906004579469983);
  EXPECT_DOUBLE_EQ(relative_sd(kValues), 0.4008761647046416);
}

TEST(Quantile, IsTypeSevenAsInNumpy) {
  EXPECT_DOUBLE_EQ(quantile(kValues, 0), 11.25);
  EXPECT_DOUBLE_EQ(quantile(kValues, 0.01), 11.2725);
  EXPECT_DOUBLE_EQ(quantile(kValues, 0.25), 11.90625);
  EXPECT_DOUBLE_EQ(median(kValues), 12.1875);
  EXPECT_DOUBLE_EQ(quantile(kValues, 0.75), 12.875);
  EXPECT_DOUBLE_EQ(quantile(kValues, 0.9), 16.274999999999995);
  EXPECT_DOUBLE_EQ(quantile(kValues, 0.99), 28.6275);
  EXPECT_DOUBLE_EQ(quantile(kValues, 1), 30.0);
  EXPECT_DOUBLE_EQ(interquartile_range(kValues), 0.96875);
}

TEST(Quantile, OfOneValueIsThatValueAndOfInfinitiesNoNaN) {
  EXPECT_EQ(quantile(std::vector<double>{3.5}, 0.99), 3.5);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(quantile(std::vector<double>{1, infinity, infinity}, 0.75), infinity);
}

TEST(EmptySets, GiveNaNAndNoPercentile) {
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_TRUE(std::isnan(median({})));
  EXPECT_TRUE(std::isnan(sample_sd(std::vector<double>{1})));
  EXPECT_TRUE(std::isnan(relative_sd(std::vector<double>{-1, 1})));
  EXPECT_EQ(summarize({}).n, 0);
  EXPECT_FALSE(supported_quantile({}, 0.5).has_value());
}

TEST(Percentiles, NeedFiveSamplesBeyondThem) {
  EXPECT_FALSE(has_percentile(99, 0.95));
  EXPECT_TRUE(has_percentile(100, 0.95));
  EXPECT_FALSE(has_percentile(499, 0.99));
  EXPECT_TRUE(has_percentile(500, 0.99));
  EXPECT_FALSE(has_percentile(499, 0.01));
  EXPECT_TRUE(has_percentile(500, 0.01));
  EXPECT_TRUE(has_percentile(10, 0.5));
  EXPECT_FALSE(has_percentile(9, 0.5));
  EXPECT_FALSE(supported_quantile(kValues, 0.95).has_value());
}

TEST(Summary, ShowsOnlyThePercentilesThatNSupports) {
  std::vector<double> values;
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  const Summary summary = summarize(values);
  EXPECT_EQ(summary.n, 100);
  EXPECT_EQ(summary.minimum, 1);
  EXPECT_EQ(summary.maximum, 100);
  EXPECT_DOUBLE_EQ(summary.median, 50.5);
  EXPECT_DOUBLE_EQ(summary.lower_quartile, 25.75);
  EXPECT_DOUBLE_EQ(summary.upper_quartile, 75.25);
  EXPECT_DOUBLE_EQ(summary.p95.value_or(0), 95.05);
  EXPECT_TRUE(summary.p90.has_value());
  EXPECT_FALSE(summary.p99.has_value());
}

TEST(NormalMeanInterval, IsTheMeanPlusMinusOnePointNineSixStandardErrors) {
  const Interval interval = normal_mean_interval(kValues);
  EXPECT_DOUBLE_EQ(interval.estimate, 14.125);
  EXPECT_NEAR(interval.low, 14.125 - 1.959963984540054 * 1.7906004579469983, 1e-12);
  EXPECT_NEAR(interval.high, 14.125 + 1.959963984540054 * 1.7906004579469983, 1e-12);
}

}  // namespace
}  // namespace phiscope::stats
