#pragma once
// The history as a filtered, sorted list, and the trend of a metric over it. No ImGui.

#include <string>
#include <string_view>
#include <vector>

#include "core/record/record.h"

namespace phiscope::gui {

enum class RunColumn : uint8_t { started, model, recipe, backend, suite, status };

/// Indices into `runs` of those in which every word of `words` occurs (any case) in id, model, recipe, backend, suite, status or reason.
std::vector<size_t> filter_runs(const std::vector<Run>& runs, std::string_view words);
void sort_runs(const std::vector<Run>& runs, std::vector<size_t>& order, RunColumn column, bool falls);

struct TrendPoint {
  double unix_s = 0;   // when the run started
  double value = 0;
  size_t run = 0;      // index into runs
};
struct Trend {
  std::string recipe, unit;
  std::vector<TrendPoint> points;  // oldest first
};
/// One trend a recipe, of the runs in `order` that are done and have the metric.
std::vector<Trend> metric_trends(const std::vector<Run>& runs, const std::vector<size_t>& order, const std::string& metric);
/// Ids of all metrics with values in these runs, sorted.
std::vector<std::string> metric_ids(const std::vector<Run>& runs, const std::vector<size_t>& order);
/// Seconds since 1970 of "2026-03-01T12:00:00.000Z"; 0 when it is not such a time.
double unix_seconds(std::string_view iso);

}  // namespace phiscope::gui
