// Every statistic against numpy and scipy (tests/golden/stats/make_statistics.py).
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/json.h"
#include "core/stats/bootstrap.h"
#include "core/stats/proportion.h"
#include "core/stats/summary.h"
#include "tests/support/fixtures.h"

namespace phiscope::stats {
namespace {

class Golden : public testing::Test {
 protected:
  Golden() : document_(read_json_file(test::source_path("tests/golden/stats/statistics.json")).value()) {}
  static std::vector<double> list(const Json& json) { return json.get<std::vector<double>>(); }
  static double number(const Json& json, const char* key) { return json.at(key).get<double>(); }
  Json document_;
};

TEST_F(Golden, MediansQuartilesAndSpreads) {
  for (const Json& row : document_["summaries"]) {
    const std::vector<double> values = list(row["values"]);
    EXPECT_NEAR(median(values), number(row, "median"), 1e-12);
    EXPECT_NEAR(quantile(values, 0.25), number(row, "q25"), 1e-12);
    EXPECT_NEAR(quantile(values, 0.75), number(row, "q75"), 1e-12);
    EXPECT_NEAR(interquartile_range(values), number(row, "iqr"), 1e-12);
    EXPECT_NEAR(mean(values), number(row, "mean"), 1e-12);
    EXPECT_NEAR(sample_sd(values), number(row, "sd"), 1e-12);
    EXPECT_NEAR(standard_error(values), number(row, "standard_error"), 1e-12);
    EXPECT_NEAR(relative_sd(values), number(row, "relative_sd"), 1e-12);
  }
}

TEST_F(Golden, IntervalOfAPairedRatio) {
  const Json& row = document_["paired_ratio"];
  const Interval ratio = paired_ratio(list(row["reference"]), list(row["candidate"]));
  EXPECT_NEAR(ratio.estimate, number(row, "estimate"), 1e-12);
  // Ours draws 10,000: its ends lie within a step of the discrete distribution of a median of 12.
  EXPECT_NEAR(ratio.low, number(row, "low"), 2e-3);
  EXPECT_NEAR(ratio.high, number(row, "high"), 2e-3);
  EXPECT_NEAR(ratio.p_value, number(row, "p"), 1e-3);
}

TEST_F(Golden, PValuesOfResampledMeans) {
  for (const Json& row : document_["mean_p"]) {
    const double p = bootstrap_mean(list(row["values"]), {.no_effect = 0}).p_value;
    const double expected = number(row, "p");
    EXPECT_NEAR(p, expected, 4 * std::sqrt(2 * expected / 10000));  // twice a binomial share of 10,000 draws
  }
  EXPECT_EQ(bootstrap_mean(std::vector<double>{1, 2}).p_value, -1);  // nobody asked
}

TEST_F(Golden, McNemarWilsonAndHolm) {
  for (const Json& row : document_["mcnemar"]) {
    const Flips flips{row["lost"].get<int64_t>(), row["gained"].get<int64_t>(), 200};
    EXPECT_NEAR(mcnemar_p(flips), number(row, "p"), 1e-10) << row.dump();
  }
  for (const Json& row : document_["wilson"]) {
    const Interval interval = wilson_interval(row["successes"].get<int64_t>(), row["n"].get<int64_t>());
    EXPECT_NEAR(interval.low, number(row, "low"), 1e-9) << row.dump();
    EXPECT_NEAR(interval.high, number(row, "high"), 1e-9) << row.dump();
  }
  for (const Json& row : document_["holm"]) {
    const std::vector<double> adjusted = holm_adjust(list(row["p"])), expected = list(row["adjusted"]);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-12) << row.dump();
  }
}

}  // namespace
}  // namespace phiscope::stats
