#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/bench/catalogue.h"
#include "tests/support/fake_engine.h"

namespace phiscope::bench {
namespace {

double value_of(const Run& run, std::string_view id) {
  const Metric* metric = run.find_metric(id);
  EXPECT_NE(metric, nullptr) << id;
  return metric != nullptr && metric->value ? *metric->value : std::nan("");
}

/// 200 positions in two windows: nll 1 or 3 by turns; the reference's is 0.5 less; KLD i/1000; every tenth top 1 differs.
Run text_run() {
  phiscope::Run run;
  for (int64_t window = 0; window < 2; ++window) {
    std::vector<double> nll, reference, kld, delta;
    std::vector<bool> same;
    for (int i = 0; i < 100; ++i) {
      nll.push_back(i % 2 == 0 ? 1 : 3);
      reference.push_back(nll.back() - 0.5);
      kld.push_back(static_cast<double>(window * 100 + i) / 1000);
      delta.push_back(i % 2 == 0 ? 0.1 : -0.3);
      same.push_back(i % 10 != 0);
    }
    run.series.push_back(test::position_scores(window, nll, reference, kld, delta, same));
    run.series.back().metric = "perplexity";
  }
  run.samples.push_back({"scored_bytes", 0, 0, 500});
  return run;
}

TEST(ComputeMetrics, PerplexityFollowsLlamaCpp) {
  phiscope::Run run = text_run();
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "nll_mean"), 2.0, 1e-12);
  EXPECT_NEAR(value_of(run, "perplexity"), std::exp(2.0), 1e-9);
  // Both windows have the same mean: drawing them again changes nothing, whatever their positions do.
  EXPECT_NEAR(*run.find_metric("perplexity")->low, std::exp(2.0), 1e-9);
  EXPECT_NEAR(*run.find_metric("perplexity")->high, std::exp(2.0), 1e-9);
  EXPECT_EQ(run.find_metric("perplexity")->n, 200);
  EXPECT_NEAR(value_of(run, "bits_per_byte"), 400 / (std::log(2.0) * 500), 1e-12);
}

TEST(ComputeMetrics, FidelityComesFromEveryPosition) {
  phiscope::Run run = text_run();
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "ln_ppl_ratio"), 0.5, 1e-12);
  EXPECT_NEAR(*run.find_metric("ln_ppl_ratio")->low, 0.5, 1e-12);  // a constant difference has no error
  EXPECT_NEAR(value_of(run, "kld_mean"), 0.0995, 1e-12);
  EXPECT_NEAR(value_of(run, "kld_median"), 0.0995, 1e-12);
  EXPECT_NEAR(value_of(run, "kld_p95"), 0.95 * 0.199, 1e-12);
  EXPECT_NEAR(value_of(run, "kld_max"), 0.199, 1e-12);
  EXPECT_NEAR(value_of(run, "same_top1"), 0.9, 1e-12);
  EXPECT_NEAR(value_of(run, "top5_overlap"), 1.0, 1e-12);
  EXPECT_NEAR(value_of(run, "dp_mean"), -10.0, 1e-9);
  EXPECT_NEAR(value_of(run, "dp_rms"), 100 * std::sqrt((0.01 + 0.09) / 2), 1e-9);
}

// Each of the 4^4 draws of four windows is equally likely. Counted out (itertools.product) the means 1, 2, 4, 10 give P(<= 1.25) = 0.0195,
// P(<= 1.5) = 0.0430, P(<= 7.75) = 0.9648, P(<= 8) = 0.9805: the 2.5 % and 97.5 % points are 1.5 and 8.
constexpr double kLowOfMeans = 1.5, kHighOfMeans = 8;
TEST(ComputeMetrics, IntervalsComeFromDrawingWindowsAgain) {
  phiscope::Run run;
  int64_t window = 0;
  for (const double mean : {1.0, 2.0, 4.0, 10.0}) {
    std::vector<double> kld;
    for (int i = 0; i < 50; ++i) kld.push_back(mean + (i % 2 == 0 ? 0.5 : -0.5));
    const std::vector<double> zeros(50, 0);
    run.series.push_back(test::position_scores(window++, kld, zeros, kld, zeros, std::vector<bool>(50, true)));
    run.series.back().metric = "perplexity";
  }
  run.samples.push_back({"kld_floor", 0, 0, 0.5});
  compute_metrics(run);
  for (const char* id : {"nll_mean", "ln_ppl_ratio", "kld_mean"}) {
    EXPECT_NEAR(value_of(run, id), 4.25, 1e-12) << id;
    EXPECT_NEAR(*run.find_metric(id)->low, kLowOfMeans, 1e-12) << id;
    EXPECT_NEAR(*run.find_metric(id)->high, kHighOfMeans, 1e-12) << id;
  }
  EXPECT_NEAR(value_of(run, "kld_x_floor"), 8.5, 1e-12);
  EXPECT_NEAR(*run.find_metric("kld_x_floor")->high, kHighOfMeans / 0.5, 1e-12);
  EXPECT_NEAR(value_of(run, "kld_floor"), 0.5, 1e-12);
  EXPECT_NEAR(std::log(*run.find_metric("perplexity")->low), kLowOfMeans, 1e-12);
}

TEST(ComputeMetrics, BucketsFollowTheReferencesConfidence) {
  phiscope::Run run = text_run();
  // Window 0 is undecided (0.1), window 1 sure (0.97): KLD 0 .. 0.099 and 0.1 .. 0.199.
  run.series[0].rows[7].assign(100, 0.1);
  run.series[1].rows[7].assign(100, 0.97);
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "kld_bucket:0-0.25"), 0.0495, 1e-12);
  EXPECT_NEAR(value_of(run, "kld_bucket:0.95-1"), 0.1495, 1e-12);
  EXPECT_EQ(run.find_metric("kld_bucket:0.5-0.75")->reason, "0 positions are too few; 100 are needed");
  EXPECT_EQ(run.find_info("kld_bucket:0.95-1")->id, "kld_bucket");
}

TEST(ComputeMetrics, TailsOfTheChangeOfProbability) {
  phiscope::Run run;
  const std::vector<double> zeros(500, 0);
  std::vector<double> delta;
  for (int i = 0; i < 500; ++i) delta.push_back(i / 1000.0 - 0.3);
  for (int64_t window = 0; window < 2; ++window) {
    run.series.push_back(test::position_scores(window, zeros, zeros, zeros, delta, std::vector<bool>(500, true)));
    run.series.back().metric = "perplexity";
  }
  compute_metrics(run);
  // numpy.quantile(numpy.repeat(numpy.arange(500) / 10 - 30, 2), [0.01, 0.99])
  EXPECT_NEAR(value_of(run, "dp_p01"), -29.501, 1e-9);
  EXPECT_NEAR(value_of(run, "dp_p99"), 19.401, 1e-9);
  EXPECT_NEAR(value_of(run, "top10_overlap"), 0.8, 1e-12);
}

TEST(ComputeMetrics, APercentileThatTheSamplesCannotCarryHasAReason) {
  phiscope::Run run = text_run();
  compute_metrics(run);
  EXPECT_EQ(run.find_metric("kld_p99")->value, std::nullopt);
  EXPECT_EQ(run.find_metric("kld_p99")->reason, "200 positions are too few for this percentile; 500 are needed");
  EXPECT_EQ(run.find_metric("kld_p999")->reason, "200 positions are too few for this percentile; 5000 are needed");
}

TEST(ComputeMetrics, FewPositionsShowNoKld) {
  phiscope::Run run;
  run.series = {test::position_scores(0, {1, 2}, {1, 2}, {0, 0}, {0, 0}, {true, true})};
  run.series[0].metric = "perplexity";
  compute_metrics(run);
  EXPECT_EQ(run.find_metric("kld_mean")->value, std::nullopt);
  EXPECT_NEAR(value_of(run, "nll_mean"), 1.5, 1e-12);
}

TEST(ComputeMetrics, ASecondTextKeepsItsName) {
  phiscope::Run run = text_run();
  for (Series& series : run.series) series.metric = "perplexity:long";
  run.samples[0].metric = "scored_bytes:long";
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "kld_mean:long"), 0.0995, 1e-12);
  EXPECT_GT(value_of(run, "bits_per_byte:long"), 0);
  EXPECT_EQ(run.find_metric("kld_mean"), nullptr);
}

TEST(ComputeMetrics, TimingsAreMedianAndQuartiles) {
  phiscope::Run run;
  int64_t repetition = 0;
  for (const double value : {10.0, 50.0, 20.0, 30.0, 40.0}) run.samples.push_back({"decode_tokens_per_s@64", 0, repetition++, value});
  compute_metrics(run);
  const Metric* metric = run.find_metric("decode_tokens_per_s@64");
  EXPECT_EQ(*metric->value, 30);
  EXPECT_EQ(*metric->low, 20);
  EXPECT_EQ(*metric->high, 40);
  EXPECT_EQ(metric->n, 5);
}

TEST(ComputeMetrics, ARepetitionThatWasMeasuredAgainCountsOnce) {
  phiscope::Run run;
  run.samples = {{"decode_tokens_per_s@64", 0, 0, 10}, {"decode_tokens_per_s@64", 0, 1, 1, "waited 90 %"}, {"decode_tokens_per_s@64", 0, 1, 20},
                 {"decode_tokens_per_s@64", 0, 2, 30, "steal 5 %"}};
  compute_metrics(run);
  EXPECT_EQ(*run.find_metric("decode_tokens_per_s@64")->value, 20);  // of 10, 20 and the 30 that could not be repeated
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@64")->n, 3);
}

TEST(ComputeMetrics, SustainedSpeedComparesTheLastQuarterWithTheFirst) {
  phiscope::Run run;
  run.series = {{"sustained", "sustained_ratio", 0, 0, {"time_ns", "tokens_per_s"}, {{1, 2, 3, 4, 5, 6, 7, 8, 9}, {100, 102, 90, 80, 80, 80, 75, 71, 70}}}};
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "sustained_ratio"), 70.5 / 101, 1e-12);  // quarters of 2 of 9
  run.series[0].rows = {{1, 2, 3}, {1, 1, 1}};
  compute_metrics(run);
  EXPECT_EQ(run.find_metric("sustained_ratio")->reason, "3 generations are too few; 4 are needed");
}

TEST(ComputeMetrics, GapsAtDepthDoNotMixWithThoseAtTheStart) {
  phiscope::Run run;
  run.series.push_back({"token_timeline", "decode_tokens_per_s@64", 0, 0, {"time_ns"}, {{0}}});
  run.series.push_back({"token_timeline", "decode_tokens_per_s@64d256", 0, 0, {"time_ns"}, {{0}}});
  for (int i = 1; i <= 20; ++i) {
    run.series[0].rows[0].push_back(i * 1e6);
    run.series[1].rows[0].push_back(i * 9e6);
  }
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "itl_p50_ms"), 1.0, 1e-12);
}

TEST(ComputeMetrics, TaskAccuracyStaysInsideItsWilsonInterval) {
  phiscope::Run run;
  run.series = {test::task_items({true, true, true, false}, {true, false, false, false})};
  run.series[0].metric = "task_accuracy:sums";
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "task_accuracy:sums"), 0.75, 1e-12);
  EXPECT_NEAR(value_of(run, "task_accuracy_norm:sums"), 0.25, 1e-12);
  // Wilson: centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n)
  const double z2 = 1.959963984540054 * 1.959963984540054;
  EXPECT_NEAR(*run.find_metric("task_accuracy:sums")->high,
              (0.75 + z2 / 8 + std::sqrt(z2) * std::sqrt(0.75 * 0.25 / 4 + z2 / 64)) / (1 + z2 / 4), 1e-9);
}

TEST(ComputeMetrics, ExactMatchHasNoLengthNormalisedAccuracy) {
  phiscope::Run run;
  run.series = {test::task_items({true, false}, {true, false})};
  run.series[0].metric = "task_accuracy:sums";
  run.series[0].rows[3] = {-1, -1};
  compute_metrics(run);
  EXPECT_NE(run.find_metric("task_accuracy:sums"), nullptr);
  EXPECT_EQ(run.find_metric("task_accuracy_norm:sums"), nullptr);
}

TEST(ComputeMetrics, BandwidthNeedsAMeasuredLimit) {
  phiscope::Run run;
  run.samples = {{"decode_bytes", 0, 0, 1e9}, {"decode_tokens_per_s@64", 0, 0, 5}, {"decode_tokens_per_s@64d256", 0, 0, 4}};
  compute_metrics(run);
  EXPECT_EQ(run.find_metric("bandwidth_pct@64"), nullptr);
  run.environment["probe.read_gb_s"] = "10";
  compute_metrics(run);
  EXPECT_NEAR(value_of(run, "bandwidth_pct@64"), 50, 1e-9);
  EXPECT_EQ(run.find_metric("bandwidth_pct@64d256"), nullptr);
}

TEST(ComputeMetrics, GivesTheSameTwice) {
  phiscope::Run run = text_run();
  run.environment["skip.prefill_tokens_per_s@9999"] = "too long";
  compute_metrics(run);
  const std::vector<Metric> first = run.metrics;
  compute_metrics(run);
  ASSERT_EQ(run.metrics.size(), first.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(run.metrics[i].id, first[i].id);
    EXPECT_EQ(run.metrics[i].value, first[i].value);
  }
  EXPECT_EQ(run.find_metric("prefill_tokens_per_s@9999")->reason, "too long");
  for (const Metric& metric : run.metrics) EXPECT_TRUE(metric.value.has_value() != !metric.reason.empty()) << metric.id;
}

TEST(Catalogue, EveryRowIsCompleteAndUnique) {
  std::set<std::string> ids;
  for (const MetricInfo& row : metric_catalogue()) {
    EXPECT_TRUE(ids.insert(row.id).second) << row.id;
    EXPECT_FALSE(row.label.empty() || row.unit.empty() || row.group.empty() || row.definition.empty()) << row.id;
    EXPECT_EQ(row.id.find('@'), std::string::npos) << row.id;
  }
  EXPECT_EQ(find_metric_info("task_accuracy:sums")->id, "task_accuracy");
  EXPECT_EQ(find_metric_info("decode_tokens_per_s@64d256")->id, "decode_tokens_per_s");
  EXPECT_EQ(find_metric_info("nonsense"), nullptr);
}

}  // namespace
}  // namespace phiscope::bench
