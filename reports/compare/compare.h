#pragma once
// Runs paired item by item, with a verdict per metric.

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::reports {

enum class Verdict : uint8_t { better, worse, same, unclear, not_comparable };
std::string_view verdict_name(Verdict verdict);  // "not comparable" is spelled with an underscore in JSON

struct MetricComparison {
  std::string id;
  MetricInfo info;
  std::optional<double> reference, candidate;
  std::optional<double> ratio, difference;   // candidate / reference, candidate - reference
  std::optional<double> low, high;           // 95 % interval of the ratio (relative metrics) or of the difference (absolute ones)
  Verdict verdict = Verdict::unclear;
  std::string reason;                        // why not comparable or unclear
};
struct CandidateComparison {
  Run run;
  std::vector<MetricComparison> metrics;
};
struct Comparison {
  Run reference;
  std::vector<CandidateComparison> candidates;
};

/// Pairs samples by metric, item and repetition; bootstrap intervals with a fixed seed; McNemar for tasks; windows for fidelity. Runs of other
/// conventions, data, models or devices are not_comparable with the field that differs.
Comparison compare_runs(const Run& reference, const std::vector<Run>& candidates);

}  // namespace phiscope::reports
