#include "app/session/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.h"

namespace phiscope::session {
namespace {

/// What must be equal for two rows to belong to one line of a chart.
std::string line_of(const Run& run) {
  const auto protocol = run.environment.find("protocol");
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", run.model, run.recipe, run.backend, run.threads, run.device, run.suite,
                     protocol == run.environment.end() ? "" : protocol->second);
}

std::vector<std::string> metrics_of(const std::vector<Run>& runs) {
  std::set<std::string> ids;
  for (const Run& run : runs)
    for (const Metric& metric : run.metrics) ids.insert(metric.id);
  return {ids.begin(), ids.end()};
}

}  // namespace

Result<std::vector<HistoryRow>> metric_history(Store& store, const std::string& metric, const RunFilter& filter) {
  PHISCOPE_ASSIGN(std::vector<Run> runs, store.list(filter));
  std::reverse(runs.begin(), runs.end());
  std::vector<HistoryRow> rows;
  std::map<std::string, Run> before;  // by line, with samples
  for (Run& run : runs) {
    const Metric* found = run.find_metric(metric);
    if (found == nullptr) continue;
    HistoryRow row;
    row.metric = *found;
    if (const MetricInfo* info = run.find_info(metric)) row.info = *info;
    PHISCOPE_ASSIGN(Run whole, store.load(run.run_id));
    const std::string line = line_of(run);
    if (const auto previous = before.find(line); previous != before.end()) {
      const reports::Comparison comparison = reports::compare_runs(previous->second, {whole});
      if (const reports::MetricComparison* change = comparison.candidates[0].find(metric)) row.change = *change;
      row.compared_with = previous->second.run_id;
    }
    if (found->value) before[line] = std::move(whole);
    row.run = std::move(run);
    rows.push_back(std::move(row));
  }
  if (!rows.empty()) return rows;
  const std::vector<std::string> known = metrics_of(runs);
  if (known.empty()) return fail(ErrorCode::not_found, "no stored run has metrics; make some with: phiscope bench bundled:tiny-phi --recipe fp32,int8,int4");
  const std::string near = nearest_name(metric, known);
  return fail(ErrorCode::not_found, "no stored run has a metric '{}'{}; phiscope runs show last lists those of a run", metric,
              near.empty() ? "" : fmt::format(", did you mean '{}'", near));
}

}  // namespace phiscope::session
