#include "app/gui/view_models/run_list.h"

#include <gtest/gtest.h>

#include "tests/support/example_runs.h"

namespace phiscope::gui {
namespace {

TEST(RunList, FindsRunsInWhichEveryWordOccurs) {
  const std::vector<phiscope::Run> runs = test::example_runs();
  const auto all = filter_runs(runs, "");
  EXPECT_EQ(all.size(), runs.size());
  for (const size_t index : filter_runs(runs, "INT8 done")) {
    EXPECT_NE(runs[index].recipe.find("int8"), std::string::npos);
    EXPECT_EQ(runs[index].status, RunStatus::done);
  }
  EXPECT_EQ(filter_runs(runs, "int8 done").size(), 2u);
  EXPECT_TRUE(filter_runs(runs, "int8 no-such-word").empty());
}

TEST(RunList, SortsByAColumnBothWaysAndKeepsEqualRowsInOrder) {
  std::vector<phiscope::Run> runs(4);
  const char* recipes[] = {"int8", "fp32", "int8", "int4"};
  for (size_t i = 0; i < runs.size(); ++i) runs[i].recipe = recipes[i];
  std::vector<size_t> order{0, 1, 2, 3};
  sort_runs(runs, order, RunColumn::recipe, false);
  EXPECT_EQ(order, (std::vector<size_t>{1, 3, 0, 2}));
  sort_runs(runs, order, RunColumn::recipe, true);
  EXPECT_EQ(order, (std::vector<size_t>{0, 2, 3, 1}));
}

TEST(RunList, ReadsUtcTimes) {
  EXPECT_EQ(unix_seconds("1970-01-01T00:00:01.000Z"), 1);
  EXPECT_EQ(unix_seconds("2026-03-01T12:00:00.000Z"), 1772366400);
  EXPECT_EQ(unix_seconds("yesterday"), 0);
}

TEST(RunList, ATrendIsAMetricOfARecipeOverTimeOldestFirst) {
  std::vector<phiscope::Run> runs(3);
  const char* times[] = {"2026-03-02T00:00:00.000Z", "2026-03-01T00:00:00.000Z", "2026-03-03T00:00:00.000Z"};
  for (size_t i = 0; i < runs.size(); ++i) {
    runs[i].recipe = "int4";
    runs[i].started_at = times[i];
    runs[i].metrics = {{.id = "kld_mean", .value = 0.1 * static_cast<double>(i + 1)}};
  }
  runs[2].status = RunStatus::failed;
  const auto trends = metric_trends(runs, {0, 1, 2}, "kld_mean");
  ASSERT_EQ(trends.size(), 1u);
  ASSERT_EQ(trends[0].points.size(), 2u);
  EXPECT_EQ(trends[0].points[0].run, 1u);
  EXPECT_EQ(trends[0].points[1].run, 0u);
  EXPECT_TRUE(metric_trends(runs, {0, 1, 2}, "perplexity").empty());
  EXPECT_EQ(metric_ids(runs, {0, 1}), std::vector<std::string>{"kld_mean"});
}

}  // namespace
}  // namespace phiscope::gui
