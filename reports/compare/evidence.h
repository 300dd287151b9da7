#pragma once
// What the raw samples of two runs say about one metric: an interval around a ratio or a difference.

#include <optional>
#include <string>

#include "core/record/record.h"

namespace phiscope::reports {

struct Evidence {
  bool is_ratio = true;               // of candidate / reference; else of candidate - reference
  double estimate = 1, low = 1, high = 1;
  int64_t units = 0;                  // pairs, windows or items that were drawn
  std::string unit_name{};            // "pairs", "windows", "items", "samples a side"
  std::optional<double> p_value{};    // two-sided; adjusted over the candidates it decides whether there is an effect
  std::string test{};                 // where p_value comes from when not from the interval's resamples: "McNemar"
  std::string mark{};                 // see MetricComparison
  std::string note{};                 // what a reader should know besides the interval
};

/// Either evidence or the reason why there is none; `is_mismatch` says that the two sides hold different data and cannot be compared at all.
struct Finding {
  std::optional<Evidence> evidence{};
  std::string reason{};
  bool is_mismatch = false;
};

/// One function a kind of raw data. `id` is the metric with its shape, `info` its catalogue row; both runs have a value for it.
Finding speed_evidence(const Run& reference, const Run& candidate, const std::string& id);
Finding gap_evidence(const Run& reference, const Run& candidate, const std::string& id);
Finding fidelity_evidence(const Run& reference, const Run& candidate, const std::string& id, const MetricInfo& info);
Finding task_evidence(const Run& reference, const Run& candidate, const std::string& id);

/// True when the two runs took turns (A B B A), so that repetitions pair up.
bool are_interleaved(const Run& reference, const Run& candidate);
/// Null when the series has no such column.
const std::vector<double>* find_column(const Series& series, std::string_view name);

}  // namespace phiscope::reports
