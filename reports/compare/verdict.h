#pragma once
// The rules of a verdict: docs/measuring.md section 3.

#include "reports/compare/compare.h"
#include "reports/compare/evidence.h"

namespace phiscope::reports {

struct ConditionDifference {
  std::string reason{};   // the field in which the runs differ, as a sentence part; empty when metrics of this group can be compared
  std::string mark{};     // "across device": differences that the options allow
};
ConditionDifference difference_of_conditions(const Run& reference, const Run& candidate, const MetricInfo& info, const CompareOptions& options);

/// Fills interval, verdict and reason from the evidence. `p_value` is the adjusted one. `noise_floor`: where the reference's value is 0
/// (divergence from itself), what counts as the same.
void decide(MetricComparison& comparison, const Evidence& evidence, std::optional<double> p_value, double noise_floor);

/// Values without samples that are exact: sizes and memory.
void decide_exact(MetricComparison& comparison);

}  // namespace phiscope::reports
