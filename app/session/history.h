#pragma once
// One metric over versions and time.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"
#include "core/store/store.h"
#include "reports/compare/compare.h"

namespace phiscope::session {

struct HistoryRow {
  Run run;                 // without samples and series
  Metric metric;
  MetricInfo info;
  /// Against the run before it with the same model, recipe, backend, threads, device, suite and protocol; none for the first.
  std::optional<reports::MetricComparison> change;
  std::string compared_with;  // its run_id
};

/// Every run that has the metric (with a value or a reason), oldest first; a filter with a limit keeps the newest. Errors: not_found naming metrics
/// that exist.
Result<std::vector<HistoryRow>> metric_history(Store& store, const std::string& metric, const RunFilter& filter);

}  // namespace phiscope::session
