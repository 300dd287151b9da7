#pragma once
// Parts of a report, each a pure function of the comparison.

#include <string>
#include <string_view>
#include <vector>

#include "reports/document/document.h"

namespace phiscope::reports {

/// A run as it is called in this report: its recipe, and what else tells it from the others.
struct Labelled {
  const Run* run = nullptr;
  std::string label{};
  const CandidateComparison* comparison = nullptr;  // null for the reference
};
std::vector<Labelled> label_runs(const Comparison& comparison);

/// The id of a family that stands for it in one column: no depth, the longest shape. Empty when no run has one.
std::string main_metric_id(const std::vector<Labelled>& runs, std::string_view family);
/// All ids of a family, in the order of the runs and without repeats.
std::vector<std::string> metric_ids(const std::vector<Labelled>& runs, std::string_view family);
const MetricInfo* find_info(const std::vector<Labelled>& runs, std::string_view metric_id);

/// N and D of "family@NdD"; 0 where there is none.
struct Shape {
  double length = 0, depth = 0;
};
Shape shape_of(std::string_view metric_id);

/// A value as shown, with its unit where the unit belongs to the number: "26.6 MB", "97.4 %", "41.52".
std::string value_text(const MetricInfo& info, double value);
/// "x2.40", "-1.5 points", "+0.0011 nat": how a candidate differs.
std::string change_text(const MetricComparison& metric);
/// "better", "not comparable: device differs: A and B", "better (unpaired in time)".
std::string verdict_note(const MetricComparison& metric);
/// Value, interval and text of a metric; "-" with the reason where there is none.
Cell metric_cell(const Run& run, std::string_view metric_id);

/// Nothing where there is no other run to choose, or the reference itself is not done.
std::optional<Answer> build_answer(const std::vector<Labelled>& runs);
Chart build_divergence_tail(const std::vector<Labelled>& runs);
Chart build_memory_timeline(const std::vector<Labelled>& runs);
std::vector<Block> build_worst_tokens(const std::vector<Labelled>& runs, const TokenText& text);
List build_verdicts(const std::vector<Labelled>& runs);
std::vector<Chart> build_charts(const std::vector<Labelled>& runs);
Table build_metric_table(const Labelled& candidate, const Labelled& reference);
std::vector<Block> build_warnings(const std::vector<Labelled>& runs);
std::vector<Block> build_environment(const std::vector<Labelled>& runs);
Table build_definitions(const std::vector<Labelled>& runs);
std::vector<Block> build_reproduction(const std::vector<Labelled>& runs);

}  // namespace phiscope::reports
