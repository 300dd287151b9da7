#include "core/record/record.h"

#include <gtest/gtest.h>

namespace phiscope {
namespace {

TEST(MetricFamily, EndsWhereTheShapeOrTheSubjectBegins) {
  EXPECT_EQ(metric_family("prefill_tokens_per_s@512"), "prefill_tokens_per_s");
  EXPECT_EQ(metric_family("decode_tokens_per_s@64d2048"), "decode_tokens_per_s");
  EXPECT_EQ(metric_family("task_accuracy:addition"), "task_accuracy");
  EXPECT_EQ(metric_family("kld_mean:0.95@512"), "kld_mean");
  EXPECT_EQ(metric_family("perplexity"), "perplexity");
  EXPECT_EQ(metric_family(""), "");
}

TEST(Names, OfEnumeratorsComeBack) {
  for (Direction direction : {Direction::higher, Direction::lower, Direction::none})
    EXPECT_EQ(direction_from_name(direction_name(direction)), direction);
  for (RunStatus status : {RunStatus::done, RunStatus::failed, RunStatus::cancelled, RunStatus::refused})
    EXPECT_EQ(run_status_from_name(run_status_name(status)), status);
}

TEST(Names, ThatAreUnknownClaimNothingGood) {
  EXPECT_EQ(direction_from_name("sideways"), Direction::none);
  EXPECT_EQ(run_status_from_name("finished"), RunStatus::failed);
}

TEST(Run, FindsMetricsByIdAndTheirInfoByFamily) {
  phiscope::Run run;  // testing::Test has a Run too
  run.metrics.push_back({.id = "decode_tokens_per_s@128", .value = 41.5});
  run.metric_infos.push_back({.id = "decode_tokens_per_s", .unit = "tok/s"});
  ASSERT_NE(run.find_metric("decode_tokens_per_s@128"), nullptr);
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@128")->value, 41.5);
  EXPECT_EQ(run.find_metric("decode_tokens_per_s"), nullptr);
  ASSERT_NE(run.find_info("decode_tokens_per_s@128"), nullptr);
  EXPECT_EQ(run.find_info("decode_tokens_per_s@64d2048")->unit, "tok/s");
  EXPECT_EQ(run.find_info("perplexity"), nullptr);
}

}  // namespace
}  // namespace phiscope
