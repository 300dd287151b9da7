#pragma once
// The metric catalogue: one row a metric, with its formula. Everything else (store, tables, reports) reads MetricInfo from the record.

#include <span>
#include <string_view>

#include "core/record/record.h"

namespace phiscope::bench {

std::span<const MetricInfo> metric_catalogue();
const MetricInfo* find_metric_info(std::string_view metric_id);

/// Computes every metric that the run's samples and series allow (and gives the reason where one has no value), replacing run.metrics and
/// run.metric_infos. Deterministic. Used after a run and by `phiscope runs recompute`.
void compute_metrics(Run& run);

}  // namespace phiscope::bench
