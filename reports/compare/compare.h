#pragma once
// Runs paired item by item, with a verdict per metric.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::reports {

enum class Verdict : uint8_t { better, worse, same, unclear, not_comparable };
std::string_view verdict_name(Verdict verdict);  // "not comparable" is spelled with an underscore in JSON

struct MetricComparison {
  std::string id{};
  MetricInfo info{};
  std::optional<double> reference{}, candidate{};
  std::optional<double> ratio{}, difference{};  // candidate / reference, candidate - reference
  std::optional<double> low{}, high{};          // 95 % interval of the ratio (is_ratio) or of the difference
  bool is_ratio = true;                         // false for absolute metrics, and where the reference's value is 0
  Verdict verdict = Verdict::unclear;
  std::string reason{};                         // why not comparable or unclear; for tasks the flips and the test
  std::string mark{};                           // "unpaired in time": the samples were not taken in turns
};
struct CandidateComparison {
  Run run{};
  std::vector<MetricComparison> metrics{};
  const MetricComparison* find(std::string_view id) const;
};
struct Comparison {
  Run reference{};
  std::vector<CandidateComparison> candidates{};
};

struct CompareOptions {
  /// Conditions that may differ because the user says so: "model", "tokenizer", "suite", "device", "convention", "protocol". Metrics that were
  /// compared across one carry it as their mark.
  std::vector<std::string> across{};
};
/// Error invalid_argument for a condition that does not exist, with those that do.
Status check_options(const CompareOptions& options);

/// Pairs samples by metric, item and repetition; bootstrap intervals with a fixed seed; windows for fidelity; McNemar for tasks. With several
/// candidates every p value is Holm-adjusted over them. Runs of other conventions, data, models or devices are not_comparable with the field that differs.
Comparison compare_runs(const Run& reference, const std::vector<Run>& candidates, const CompareOptions& options = {});

}  // namespace phiscope::reports
