#include "reports/compare/compare.h"

#include <map>

#include "core/stats/proportion.h"
#include "reports/compare/evidence.h"
#include "reports/compare/verdict.h"

namespace phiscope::reports {
namespace {

// Where no floor was measured, a divergence below this counts as the same: in nats, the size that rounding to 16 bits has on small models.
constexpr double kAssumedFloor = 1e-4;


std::vector<std::string> metric_ids(const Run& reference, const Run& candidate) {
  std::vector<std::string> ids;
  for (const Metric& metric : reference.metrics) ids.push_back(metric.id);
  for (const Metric& metric : candidate.metrics)
    if (reference.find_metric(metric.id) == nullptr) ids.push_back(metric.id);
  return ids;
}

std::string absence(const Metric* metric, std::string_view side) {
  if (metric == nullptr) return fmt::format("the {} has no such metric", side);
  return fmt::format("the {} has no value{}{}", side, metric->reason.empty() ? "" : ": ", metric->reason);
}

void refuse(MetricComparison& comparison, std::string reason) {
  comparison.verdict = Verdict::not_comparable;
  comparison.reason = std::move(reason);
}

// Values, ratio and difference; false when the two cannot be compared (verdict and reason are set).
bool fill_values(const Run& reference, const Run& candidate, const CompareOptions& options, MetricComparison& comparison) {
  const Metric* a = reference.find_metric(comparison.id);
  const Metric* b = candidate.find_metric(comparison.id);
  const MetricInfo* info = reference.find_info(comparison.id);
  if (info == nullptr) info = candidate.find_info(comparison.id);
  if (info != nullptr) comparison.info = *info;
  if (a != nullptr) comparison.reference = a->value;
  if (b != nullptr) comparison.candidate = b->value;
  if (!comparison.reference || !comparison.candidate) {
    refuse(comparison, !comparison.reference ? absence(a, "reference") : absence(b, "candidate"));
    return false;
  }
  comparison.difference = *comparison.candidate - *comparison.reference;
  if (*comparison.reference != 0) comparison.ratio = *comparison.candidate / *comparison.reference;
  if (info == nullptr) {
    refuse(comparison, "the metric is not described in either run");
    return false;
  }
  if (a->version != b->version) {
    refuse(comparison, fmt::format("metric version differs: {} and {}", a->version, b->version));
    return false;
  }
  ConditionDifference differs = difference_of_conditions(reference, candidate, comparison.info, options);
  comparison.mark = differs.mark;
  if (!differs.reason.empty()) refuse(comparison, differs.reason);
  return differs.reason.empty();
}

Finding find_evidence(const Run& reference, const Run& candidate, const MetricComparison& comparison) {
  const std::string& group = comparison.info.group;
  if (group == "fidelity") return fidelity_evidence(reference, candidate, comparison.id, comparison.info);
  if (group == "tasks") return task_evidence(reference, candidate, comparison.id);
  Finding finding = speed_evidence(reference, candidate, comparison.id);
  if (finding.evidence) return finding;
  Finding gaps = gap_evidence(reference, candidate, comparison.id);
  return gaps.evidence ? gaps : finding;
}

double noise_floor(const Run& reference, const Run& candidate) {
  for (const Run* run : {&candidate, &reference}) {
    const Metric* floor = run->find_metric("kld_floor");
    if (floor != nullptr && floor->value) return *floor->value;
  }
  return kAssumedFloor;
}

bool is_exact(const MetricInfo& info) { return info.group == "size" || info.group == "memory"; }

MetricComparison compare_metric(const Run& reference, const Run& candidate, const std::string& id, const CompareOptions& options,
                                std::optional<Evidence>& evidence) {
  MetricComparison comparison;
  comparison.id = id;
  if (!fill_values(reference, candidate, options, comparison)) return comparison;
  if (is_exact(comparison.info)) {
    decide_exact(comparison);
    return comparison;
  }
  Finding finding = find_evidence(reference, candidate, comparison);
  if (finding.evidence) {
    evidence = std::move(finding.evidence);
  } else if (finding.is_mismatch) {
    refuse(comparison, finding.reason);
  } else if (*comparison.reference == *comparison.candidate) {
    decide_exact(comparison);
  } else {
    comparison.reason = finding.reason;
  }
  return comparison;
}

// Holm's adjustment over the candidates, metric by metric.
void settle(const Run& reference, Comparison& comparison, std::vector<std::vector<std::optional<Evidence>>>& evidence) {
  std::map<std::string, std::vector<double>> p_values;
  for (size_t c = 0; c < evidence.size(); ++c)
    for (size_t m = 0; m < evidence[c].size(); ++m)
      if (evidence[c][m] && evidence[c][m]->p_value) p_values[comparison.candidates[c].metrics[m].id].push_back(*evidence[c][m]->p_value);
  for (auto& [id, values] : p_values) values = stats::holm_adjust(values);
  std::map<std::string, size_t> next;
  for (size_t c = 0; c < evidence.size(); ++c) {
    CandidateComparison& candidate = comparison.candidates[c];
    const double floor = noise_floor(reference, candidate.run);
    for (size_t m = 0; m < evidence[c].size(); ++m) {
      if (!evidence[c][m]) continue;
      const std::string& id = candidate.metrics[m].id;
      std::optional<double> p_value;
      if (evidence[c][m]->p_value) p_value = p_values[id][next[id]++];
      decide(candidate.metrics[m], *evidence[c][m], p_value, floor);
    }
  }
}

}  // namespace

const MetricComparison* CandidateComparison::find(std::string_view id) const {
  for (const MetricComparison& metric : metrics)
    if (metric.id == id) return &metric;
  return nullptr;
}

Comparison compare_runs(const Run& reference, const std::vector<Run>& candidates, const CompareOptions& options) {
  Comparison comparison;
  comparison.reference = reference;
  std::vector<std::vector<std::optional<Evidence>>> evidence;
  for (const Run& run : candidates) {
    CandidateComparison& candidate = comparison.candidates.emplace_back();
    candidate.run = run;
    std::vector<std::optional<Evidence>>& found = evidence.emplace_back();
    for (const std::string& id : metric_ids(reference, run))
      candidate.metrics.push_back(compare_metric(reference, run, id, options, found.emplace_back()));
  }
  settle(reference, comparison, evidence);
  return comparison;
}

}  // namespace phiscope::reports
