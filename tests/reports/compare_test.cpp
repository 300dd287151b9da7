#include "reports/compare/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/stats/random.h"
#include "tests/support/example_runs.h"

namespace phiscope::reports {
namespace {

using phiscope::test::example_run;

// A run of the interleaved set with one thing changed.
CandidateComparison compare_with(const phiscope::Run& reference, const phiscope::Run& candidate) {
  return compare_runs(reference, {candidate}).candidates.at(0);
}

Verdict verdict_of(const CandidateComparison& candidate, std::string_view id) {
  const MetricComparison* metric = candidate.find(id);
  EXPECT_NE(metric, nullptr) << id;
  return metric == nullptr ? Verdict::not_comparable : metric->verdict;
}

TEST(Compare, ARunWithItselfIsTheSameInEveryMetric) {
  const auto run = example_run({});
  const CandidateComparison self = compare_with(run, run);
  EXPECT_EQ(self.metrics.size(), run.metrics.size());
  for (const MetricComparison& metric : self.metrics) {
    EXPECT_EQ(metric.verdict, Verdict::same) << metric.id << ": " << metric.reason;
    EXPECT_EQ(metric.difference, 0) << metric.id;
    ASSERT_TRUE(metric.low.has_value()) << metric.id;
    EXPECT_EQ(*metric.low, metric.is_ratio ? 1 : 0) << metric.id;
    EXPECT_EQ(*metric.high, metric.is_ratio ? 1 : 0) << metric.id;
  }
}

TEST(Compare, TheSameArtifactMeasuredAgainIsTheSameAtLeastNinetyFiveTimesInAHundred) {
  auto reference = example_run({.seed = 1000});
  reference.series.clear();  // speed alone; the scores do not depend on the seed
  int same = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    auto again = example_run({.run_id = "01JD0000000000000000000002", .seed = seed});
    again.series.clear();
    std::erase_if(again.samples, [](const Sample& sample) { return sample.metric != "decode_tokens_per_s@64"; });
    if (verdict_of(compare_with(reference, again), "decode_tokens_per_s@64") == Verdict::same) ++same;
  }
  EXPECT_GE(same, 95);
}

TEST(Compare, AnInjectedSlowdownOfFivePercentIsFound) {
  const auto reference = example_run({});
  const auto slow = example_run({.run_id = "01JD0000000000000000000002", .speed = 0.95, .seed = 2});
  const CandidateComparison candidate = compare_with(reference, slow);
  for (const char* id : {"decode_tokens_per_s@64", "prefill_tokens_per_s@512", "ttft_model_ms@128", "itl_p50_ms"})
    EXPECT_EQ(verdict_of(candidate, id), Verdict::worse) << id;
  const auto fast = example_run({.run_id = "01JD0000000000000000000002", .speed = 1.05, .seed = 2});
  for (const char* id : {"decode_tokens_per_s@64", "prefill_tokens_per_s@512", "ttft_model_ms@128", "itl_p50_ms"})
    EXPECT_EQ(verdict_of(compare_with(reference, fast), id), Verdict::better) << id;
}

TEST(Compare, NoiseThatHidesTheEffectIsUnclearAndSaysHowManyPairsWouldSettleIt) {
  auto reference = example_run({});
  auto candidate = example_run({.run_id = "01JD0000000000000000000002", .seed = 2});
  stats::Random random(3);
  for (auto* run : {&reference, &candidate})
    for (Sample& sample : run->samples) sample.value *= 0.8 + 0.4 * (random.next() / 4294967296.0);
  const auto compared = compare_with(reference, candidate);
  const MetricComparison* metric = compared.find("decode_tokens_per_s@64");
  ASSERT_NE(metric, nullptr);
  EXPECT_EQ(metric->verdict, Verdict::unclear);
  EXPECT_NE(metric->reason.find(" pairs instead of 10 would settle it"), std::string::npos) << metric->reason;
}

TEST(Compare, TooFewSamplesAreUnclearWithTheReason) {
  const auto reference = example_run({.repetitions = 2});
  const auto candidate = example_run({.run_id = "01JD0000000000000000000002", .speed = 2, .seed = 2, .repetitions = 2});
  const auto compared = compare_with(reference, candidate);
  const MetricComparison* metric = compared.find("decode_tokens_per_s@64");
  EXPECT_EQ(metric->verdict, Verdict::unclear);
  EXPECT_EQ(metric->reason, "2 samples a side; 3 are needed for an interval");
  EXPECT_FALSE(metric->low.has_value());
}

TEST(Compare, RunsThatDidNotTakeTurnsAreResampledUnpairedAndMarked) {
  const auto reference = example_run({});
  auto candidate = example_run({.run_id = "01JD0000000000000000000002", .speed = 1.2, .seed = 2});
  const auto paired = compare_with(reference, candidate);
  EXPECT_EQ(paired.find("decode_tokens_per_s@64")->mark, "");
  candidate.environment["interleave.id"] = "01JD0000000000000000000099";
  const auto unpaired = compare_with(reference, candidate);
  EXPECT_EQ(unpaired.find("decode_tokens_per_s@64")->mark, "unpaired in time");
  EXPECT_EQ(unpaired.find("itl_p50_ms")->mark, "unpaired in time");
  EXPECT_EQ(unpaired.find("decode_tokens_per_s@64")->verdict, Verdict::better);
  EXPECT_EQ(unpaired.find("perplexity")->mark, "");  // the same tokens pair at any time
}

TEST(Compare, FidelityIsPairedByWindow) {
  const auto reference = example_run({});
  const auto candidate = example_run({.run_id = "01JD0000000000000000000002", .damage = 0.08});
  const auto compared = compare_with(reference, candidate);
  EXPECT_EQ(verdict_of(compared, "kld_mean"), Verdict::worse);
  EXPECT_EQ(verdict_of(compared, "same_top1"), Verdict::worse);
  EXPECT_EQ(verdict_of(compared, "perplexity"), Verdict::worse);
  const MetricComparison* perplexity = compared.find("perplexity");
  ASSERT_TRUE(perplexity->is_ratio);
  EXPECT_LE(*perplexity->low, *perplexity->ratio);
  EXPECT_GE(*perplexity->high, *perplexity->ratio);
  // The interval of the ratio is far tighter than that of either perplexity.
  const Metric* alone = reference.find_metric("perplexity");
  EXPECT_LT(*perplexity->high - *perplexity->low, (*alone->high - *alone->low) / *alone->value / 3);
  const MetricComparison* kld = compared.find("kld_mean");
  EXPECT_FALSE(kld->is_ratio);  // the reference's own divergence is 0
  EXPECT_FALSE(kld->ratio.has_value());
  EXPECT_GT(*kld->low, 0);
}

TEST(Compare, ADivergenceBelowTheFloorIsTheSame) {
  const auto reference = example_run({});
  auto candidate = example_run({.run_id = "01JD0000000000000000000002", .damage = 0.00002});
  EXPECT_EQ(verdict_of(compare_with(reference, candidate), "kld_mean"), Verdict::same);
  candidate.metrics.push_back({.id = "kld_floor", .value = 1e-6});
  EXPECT_EQ(verdict_of(compare_with(reference, candidate), "kld_mean"), Verdict::worse);
}

TEST(Compare, TwoCandidatesAreComparedByTheRatioOfTheirDivergence) {
  const auto a = example_run({.damage = 0.01});
  const auto b = example_run({.run_id = "01JD0000000000000000000002", .damage = 0.02});
  const auto compared = compare_with(a, b);
  const MetricComparison* kld = compared.find("kld_mean");
  EXPECT_TRUE(kld->is_ratio);
  EXPECT_NEAR(*kld->ratio, 2, 1e-6);
  EXPECT_EQ(kld->verdict, Verdict::worse);
}

// 200 items; the candidate loses `lost` right ones and gains `gained` wrong ones.
std::pair<phiscope::Run, phiscope::Run> flipped_runs(int lost, int gained) {
  const auto reference = example_run({.items = 200});
  auto candidate = reference;
  candidate.run_id = "01JD0000000000000000000002";
  for (Series& series : candidate.series) {
    if (series.metric != "task_accuracy:addition") continue;
    int to_lose = lost, to_gain = gained;
    double right = 0;
    for (double& correct : series.rows[1]) {
      if (correct != 0 && to_lose > 0) {
        correct = 0;
        --to_lose;
      } else if (correct == 0 && to_gain > 0) {
        correct = 1;
        --to_gain;
      }
      right += correct;
    }
    for (Metric& metric : candidate.metrics)
      if (metric.id == series.metric) metric.value = right / 200;
  }
  return {reference, candidate};
}

TEST(Compare, TasksArePairedByItemWithMcNemar) {
  const auto [reference, candidate] = flipped_runs(14, 2);
  const auto compared = compare_with(reference, candidate);
  const MetricComparison* metric = compared.find("task_accuracy:addition");
  EXPECT_EQ(metric->verdict, Verdict::worse);
  EXPECT_NEAR(*metric->difference, -0.06, 1e-12);
  EXPECT_NE(metric->reason.find("14 items lost, 2 gained of 200"), std::string::npos) << metric->reason;
  EXPECT_NE(metric->reason.find("McNemar p = 0.0042"), std::string::npos) << metric->reason;  // 2·Σ C(16,k≤2)/2^16 = .00418
  EXPECT_EQ(verdict_of(compared, "task_accuracy:completion"), Verdict::same);
  const auto [same_reference, few] = flipped_runs(4, 3);
  EXPECT_EQ(verdict_of(compare_with(same_reference, few), "task_accuracy:addition"), Verdict::unclear);
}

TEST(Compare, ItemsThatWereAskedInOtherWordsAreNotPaired) {
  auto [reference, candidate] = flipped_runs(3, 2);
  for (phiscope::Run* run : {&reference, &candidate})
    for (Series& series : run->series)
      if (series.kind == "task_items") {
        series.columns.emplace_back("prompt_hash");
        series.rows.emplace_back(series.rows[0].size(), run == &reference ? 17.0 : 18.0);
      }
  const auto compared = compare_with(reference, candidate);
  EXPECT_EQ(verdict_of(compared, "task_accuracy:addition"), Verdict::not_comparable);
  EXPECT_NE(compared.find("task_accuracy:addition")->reason.find("other words"), std::string::npos);
}

TEST(Compare, SeveralCandidatesAreAdjustedAfterHolm) {
  const auto [reference, candidate] = flipped_runs(9, 1);  // p = .0215 alone
  EXPECT_EQ(verdict_of(compare_with(reference, candidate), "task_accuracy:addition"), Verdict::worse);
  const Comparison four = compare_runs(reference, {candidate, candidate, candidate, candidate});  // .0859 each
  for (const CandidateComparison& each : four.candidates) EXPECT_EQ(verdict_of(each, "task_accuracy:addition"), Verdict::unclear);
}

TEST(Compare, SpeedOfSeveralCandidatesIsAdjustedToo) {
  // Ten pairs, eight of them faster by 3 % and two slower by 1 %. A resampled median is slower with 6 slow pairs of 10 or more: probability
  // .0064, so p is about .013 alone and .15 of twelve.
  phiscope::Run reference = example_run({});
  reference.series.clear();
  std::erase_if(reference.samples, [](const Sample& sample) { return sample.metric != "decode_tokens_per_s@64"; });
  phiscope::Run candidate = reference;
  candidate.run_id = "01JD0000000000000000000002";
  for (size_t i = 0; i < candidate.samples.size(); ++i) candidate.samples[i].value *= i < 2 ? 0.99 : 1.03;
  ASSERT_EQ(candidate.samples.size(), 10U);
  const char* id = "decode_tokens_per_s@64";
  EXPECT_EQ(verdict_of(compare_with(reference, candidate), id), Verdict::better);
  const Comparison many = compare_runs(reference, std::vector<phiscope::Run>(12, candidate));
  for (const CandidateComparison& each : many.candidates) {
    EXPECT_EQ(verdict_of(each, id), Verdict::unclear);
    EXPECT_GT(each.find(id)->low, 1);  // the interval is not adjusted
  }
}

TEST(Compare, ARepetitionThatWasMeasuredAgainCountsOnceWithItsLastValue) {
  const auto reference = example_run({});
  auto again = reference;
  again.run_id = "01JD0000000000000000000002";
  again.samples.insert(again.samples.begin(), Sample{"decode_tokens_per_s@64", 0, 3, 1, "waited 99 %"});
  EXPECT_EQ(verdict_of(compare_with(reference, again), "decode_tokens_per_s@64"), Verdict::same);
}

TEST(Compare, WhatMayDifferIsComparedAndMarked) {
  const auto reference = example_run({});
  auto elsewhere = example_run({.run_id = "01JD0000000000000000000002", .speed = 0.9, .seed = 2});
  elsewhere.device = "another";
  const char* id = "decode_tokens_per_s@64";
  EXPECT_EQ(verdict_of(compare_with(reference, elsewhere), id), Verdict::not_comparable);
  const CandidateComparison across = compare_runs(reference, {elsewhere}, {{"device"}}).candidates.at(0);
  EXPECT_EQ(verdict_of(across, id), Verdict::worse);
  EXPECT_EQ(across.find(id)->mark, "across device");
  elsewhere.environment["protocol"] = "llama-bench";
  EXPECT_EQ(compare_runs(reference, {elsewhere}, {{"device"}}).candidates[0].find(id)->reason, "protocol differs: (none) and llama-bench");
  EXPECT_EQ(compare_runs(reference, {elsewhere}, {{"device", "protocol"}}).candidates[0].find(id)->mark, "across device, across protocol");
  EXPECT_EQ(check_options({{"device", "colour"}}).error().message,
            "'colour' is nothing that runs can differ in; model, tokenizer, suite, device, protocol, convention are");
}

TEST(Compare, AnInvalidRunIsComparedInNothing) {
  const auto reference = example_run({});
  auto invalid = example_run({.run_id = "01JD0000000000000000000002"});
  invalid.warnings.push_back({"invalid", "logits were not finite", ""});
  const Comparison comparison = compare_runs(reference, {invalid}, {{"model", "device"}});
  const std::vector<MetricComparison>& metrics = comparison.candidates.at(0).metrics;
  EXPECT_EQ(metrics.size(), reference.metrics.size());
  for (const MetricComparison& metric : metrics) {
    EXPECT_EQ(metric.verdict, Verdict::not_comparable) << metric.id;
    EXPECT_EQ(metric.reason, "the candidate is invalid: logits were not finite");
  }
}

TEST(Compare, SizesAreComparedExactly) {
  const auto reference = example_run({});
  const auto candidate = example_run({.run_id = "01JD0000000000000000000002", .bits_per_weight = 8.5});
  const auto compared = compare_with(reference, candidate);
  EXPECT_EQ(verdict_of(compared, "file_bytes"), Verdict::better);
  EXPECT_EQ(verdict_of(compared, "bits_per_weight"), Verdict::better);
  EXPECT_EQ(verdict_of(compared, "kv_bytes@2048"), Verdict::same);
  EXPECT_EQ(compared.find("bits_per_weight")->ratio, 8.5 / 32);
  EXPECT_EQ(compared.find("bits_per_weight")->low, 8.5 / 32);
}

struct Mismatch {
  const char* name;
  void (*change)(phiscope::Run& run);
  const char* metric;
  const char* reason;
  const char* still_comparable;  // a metric that does not depend on the field; "" = none
};

TEST(Compare, RunsOfOtherConditionsAreNotComparableAndTheFieldIsNamed) {
  const Mismatch rows[] = {
      {"model", [](phiscope::Run& run) { run.model_hash = "other"; }, "file_bytes", "source model differs: 6f1d0f6f3a4f1c2e9b8d7a66 and other", ""},
      {"tokenizer", [](phiscope::Run& run) { run.tokenizer_hash = "t2"; }, "perplexity", "tokenizer differs: 11223344556677889900aabb and t2",
       "decode_tokens_per_s@64"},
      {"suite", [](phiscope::Run& run) { run.suite_hash = "s2"; }, "decode_tokens_per_s@64", "suite differs: 0123456789abcdef01234567 and s2",
       "file_bytes"},
      {"device", [](phiscope::Run& run) { run.device = "Other CPU"; }, "prefill_tokens_per_s@128",
       "device differs: Example CPU 3000 and Other CPU", "perplexity"},
      {"convention", [](phiscope::Run& run) { run.environment["convention.chunk"] = "1024"; }, "kld_mean",
       "convention.chunk differs: 512 and 1024", "decode_tokens_per_s@64"},
      {"absent convention", [](phiscope::Run& run) { run.environment["convention.few_shot"] = "5"; }, "task_accuracy:addition",
       "convention.few_shot differs: (none) and 5", "decode_tokens_per_s@64"},
      {"version", [](phiscope::Run& run) { for (Metric& metric : run.metrics) metric.version = 2; }, "perplexity",
       "metric version differs: 1 and 2", ""},
      {"other tokens", [](phiscope::Run& run) { for (Series& series : run.series) if (series.kind == "position_scores") series.rows[0][7] += 1; },
       "perplexity", "window 0 scores other tokens", "decode_tokens_per_s@64"},
      {"windows", [](phiscope::Run& run) { std::erase_if(run.series, [](const Series& s) { return s.kind == "position_scores" && s.item == 7; }); },
       "perplexity", "windows scored: 8 and 7", "decode_tokens_per_s@64"},
      {"no value", [](phiscope::Run& run) { for (Metric& metric : run.metrics) { metric.value.reset(); metric.reason = "cancelled before"; } },
       "perplexity", "the candidate has no value: cancelled before", ""},
  };
  const auto reference = example_run({.repetitions = 3, .items = 20});
  for (const Mismatch& row : rows) {
    auto candidate = example_run({.run_id = "01JD0000000000000000000002", .repetitions = 3, .items = 20});
    row.change(candidate);
    const auto compared = compare_with(reference, candidate);
    EXPECT_EQ(verdict_of(compared, row.metric), Verdict::not_comparable) << row.name;
    EXPECT_EQ(compared.find(row.metric)->reason, row.reason) << row.name;
    if (*row.still_comparable != '\0') {
      EXPECT_NE(verdict_of(compared, row.still_comparable), Verdict::not_comparable) << row.name;
    }
  }
}

TEST(Compare, ARunThatFailedHasNoComparableMetrics) {
  const auto runs = test::example_runs();
  const auto compared = compare_with(runs.front(), runs.back());
  EXPECT_EQ(compared.metrics.size(), runs.front().metrics.size());
  for (const MetricComparison& metric : compared.metrics) EXPECT_EQ(metric.verdict, Verdict::not_comparable);
}

TEST(VerdictName, IsSpelledForJson) {
  EXPECT_EQ(verdict_name(Verdict::not_comparable), "not_comparable");
  EXPECT_EQ(verdict_name(Verdict::better), "better");
}

}  // namespace
}  // namespace phiscope::reports
