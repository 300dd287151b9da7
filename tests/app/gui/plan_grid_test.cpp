#include "app/gui/view_models/plan_grid.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace phiscope::gui {
namespace {

session::Snapshot snapshot_with_backends() {
  session::Snapshot snapshot;
  snapshot.backends = {{"cpu", "kernels", {}}, {"cuda", "GPU", {false, "no driver"}}};
  return snapshot;
}

session::ShelfModel model_of(uint64_t int4_bytes) {
  auto report = std::make_shared<session::ModelReport>();
  report->sizes.push_back({"int4", "", int4_bytes, 4.6, 1000});
  return {"bundled:tiny-phi", session::ShelfModel::State::ready, report, ""};
}

const PlanRow& row_of(const PlanGrid& grid, const std::string& recipe) {
  return *std::find_if(grid.rows.begin(), grid.rows.end(), [&](const PlanRow& row) { return row.recipe == recipe; });
}

TEST(PlanGrid, ABackendThatCannotRunIsDisabledWithItsReason) {
  const auto model = model_of(1'000'000);
  const PlanGrid grid = make_plan_grid(snapshot_with_backends(), &model, "quick", 1'000'000'000, 100);
  const PlanRow& row = row_of(grid, "int4");
  EXPECT_TRUE(row.cells[0].can_run);
  EXPECT_FALSE(row.cells[1].can_run);
  EXPECT_EQ(row.cells[1].reason, "no driver");
}

TEST(PlanGrid, MemoryIsWeightsAndCacheAndMustFit) {
  const auto model = model_of(1'000'000);
  const PlanGrid fits = make_plan_grid(snapshot_with_backends(), &model, "quick", 1'100'000, 100);
  EXPECT_EQ(row_of(fits, "int4").cells[0].memory_bytes, 1'100'000u);
  EXPECT_TRUE(row_of(fits, "int4").cells[0].can_run);
  const PlanGrid tight = make_plan_grid(snapshot_with_backends(), &model, "quick", 1'099'999, 100);
  EXPECT_FALSE(row_of(tight, "int4").cells[0].can_run);
  EXPECT_EQ(row_of(tight, "int4").cells[0].reason, "needs 1.10 MB, 1.10 MB are free on this machine");
}

TEST(PlanGrid, TimeIsTheMedianOfEarlierRunsOfTheSameKind) {
  session::Snapshot snapshot = snapshot_with_backends();
  std::vector<phiscope::Run> runs(4);
  const double seconds[] = {10, 30, 20, 99};
  for (size_t i = 0; i < runs.size(); ++i) {
    runs[i].model = "bundled:tiny-phi";
    runs[i].recipe = "int4";
    runs[i].backend = "cpu";
    runs[i].suite = "quick";
    runs[i].seconds = seconds[i];
  }
  runs[3].status = RunStatus::failed;
  snapshot.runs = std::make_shared<std::vector<phiscope::Run>>(runs);
  const auto model = model_of(1);
  const PlanGrid grid = make_plan_grid(snapshot, &model, "quick", 0, 1);
  EXPECT_EQ(row_of(grid, "int4").cells[0].seconds, 20.0);
  EXPECT_FALSE(row_of(grid, "fp32").cells[0].seconds.has_value());
  EXPECT_EQ(estimated_time({&row_of(grid, "int4").cells[0], &row_of(grid, "int4").cells[0]}), "about 40.0 s");
  EXPECT_EQ(estimated_time({&row_of(grid, "int4").cells[0], &row_of(grid, "fp32").cells[0]}), "");
}

}  // namespace
}  // namespace phiscope::gui
