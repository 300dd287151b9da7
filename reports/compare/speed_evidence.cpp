#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/stats/bootstrap.h"
#include "reports/compare/evidence.h"

namespace phiscope::reports {
namespace {

constexpr size_t kLeastSamples = 3;
constexpr const char* kUnpaired = "unpaired in time";

using Key = std::pair<int64_t, int64_t>;  // item, repetition

std::map<Key, double> samples_of(const Run& run, const std::string& id) {
  std::map<Key, double> values;
  for (const Sample& sample : run.samples)
    if (sample.metric == id) values[{sample.item, sample.repetition}] = sample.value;
  return values;
}

Finding too_few(size_t count) {
  return {.reason = fmt::format("{} sample{} a side; {} are needed for an interval", count, count == 1 ? "" : "s", kLeastSamples)};
}

Evidence from_interval(const stats::Interval& interval, size_t units, bool paired) {
  Evidence evidence{.is_ratio = true, .estimate = interval.estimate, .low = interval.low, .high = interval.high,
                    .units = static_cast<int64_t>(units)};
  if (interval.p_value >= 0) evidence.p_value = interval.p_value;
  evidence.unit_name = paired ? "pairs" : "samples a side";
  if (!paired) evidence.mark = kUnpaired;
  return evidence;
}

// Gaps between tokens in milliseconds, one list a timeline. Depth 0 only, as the catalogue defines the percentiles.
std::map<std::string, std::vector<double>> gaps_of(const Run& run) {
  std::map<std::string, std::vector<double>> result;
  for (const Series& series : run.series) {
    if (series.kind != "token_timeline" || metric_family(series.metric) != "decode_tokens_per_s") continue;
    const size_t at = series.metric.find('@');
    if (at != std::string::npos && series.metric.find('d', at) != std::string::npos) continue;
    const std::vector<double>* times = find_column(series, "time_ns");
    if (times == nullptr || times->size() < 2) continue;
    std::vector<double>& gaps = result[fmt::format("{} {} {}", series.metric, series.item, series.repetition)];
    for (size_t i = 1; i < times->size(); ++i) gaps.push_back(((*times)[i] - (*times)[i - 1]) * 1e-6);
  }
  return result;
}

struct GapMetric {
  std::string_view family;
  double p;
  bool is_reciprocal;  // 1 / percentile
};
constexpr std::array kGapMetrics{
    GapMetric{"itl_p50_ms", 0.50, false},
    GapMetric{"itl_p95_ms", 0.95, false},
    GapMetric{"itl_p99_ms", 0.99, false},
    GapMetric{"decode_low1_tokens_per_s", 0.99, true},
};

}  // namespace

const std::vector<double>* find_column(const Series& series, std::string_view name) {
  for (size_t i = 0; i < series.columns.size() && i < series.rows.size(); ++i)
    if (series.columns[i] == name) return &series.rows[i];
  return nullptr;
}

bool are_interleaved(const Run& reference, const Run& candidate) {
  if (reference.run_id == candidate.run_id) return true;
  const auto a = reference.environment.find("interleave.id");
  const auto b = candidate.environment.find("interleave.id");
  return a != reference.environment.end() && b != candidate.environment.end() && !a->second.empty() && a->second == b->second;
}

Finding speed_evidence(const Run& reference, const Run& candidate, const std::string& id) {
  const std::map<Key, double> a = samples_of(reference, id);
  const std::map<Key, double> b = samples_of(candidate, id);
  const bool paired = are_interleaved(reference, candidate);
  std::vector<double> x, y;
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (paired && other == b.end()) continue;
    x.push_back(value);
    if (paired) y.push_back(other->second);
  }
  if (!paired)
    for (const auto& [key, value] : b) y.push_back(value);
  const size_t count = std::min(x.size(), y.size());
  if (count < kLeastSamples) return too_few(count);
  const auto is_positive = [](double value) { return value > 0 && std::isfinite(value); };
  if (!std::all_of(x.begin(), x.end(), is_positive) || !std::all_of(y.begin(), y.end(), is_positive))
    return {.reason = "a sample is not a positive number"};
  return {.evidence = from_interval(paired ? stats::paired_ratio(x, y) : stats::unpaired_ratio(x, y), count, paired)};
}

Finding gap_evidence(const Run& reference, const Run& candidate, const std::string& id) {
  const auto* row = std::find_if(kGapMetrics.begin(), kGapMetrics.end(), [&](const GapMetric& metric) { return metric.family == id; });
  if (row == kGapMetrics.end()) return {.reason = "no samples to resample"};
  const auto a = gaps_of(reference);
  const auto b = gaps_of(candidate);
  bool paired = are_interleaved(reference, candidate) && a.size() == b.size();
  std::vector<std::vector<double>> x, y;
  for (const auto& [key, gaps] : a) {
    x.push_back(gaps);
    paired = paired && b.contains(key);
  }
  for (const auto& [key, gaps] : b) y.push_back(gaps);
  const size_t count = std::min(x.size(), y.size());
  if (count < kLeastSamples) return too_few(count);
  stats::Interval ratio = stats::chunk_quantile_ratio(x, y, row->p, paired);
  if (row->is_reciprocal) ratio = {1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low, ratio.p_value};
  return {.evidence = from_interval(ratio, count, paired)};
}

}  // namespace phiscope::reports
