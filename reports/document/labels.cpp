#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "core/base/text.h"
#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

std::string bytes_text(double value) { return value >= 0 ? format_bytes(static_cast<uint64_t>(std::llround(value))) : format_number(value); }
std::string share_text(double value) { return fmt::format("{} %", format_number(100 * value, 4)); }
std::string divergence_text(double value) { return format_number(value, 3); }
std::string plain_text(double value) { return format_number(value, 4); }

// Three decimals near 1, where the third decides; else three significant digits.
std::string ratio_text(double ratio) {
  if (std::abs(ratio - 1) < 0.1) return fmt::format("{:.3f}", ratio);
  if (ratio >= 1 && ratio < 10) return fmt::format("{:.2f}", ratio);
  return format_number(ratio, 3);
}

struct UnitFormat {
  std::string_view unit;
  std::string (*text)(double value);
};
// To show a unit in its own way: a row.
constexpr std::array kUnitFormats{UnitFormat{"bytes", bytes_text}, UnitFormat{"share", share_text}, UnitFormat{"nat", divergence_text}};

template <class Value>
bool all_equal(const std::vector<Labelled>& runs, Value Run::*field) {
  return std::all_of(runs.begin(), runs.end(), [&](const Labelled& row) { return row.run->*field == runs.front().run->*field; });
}

// Appends what tells the runs apart, until every label is different.
void add_distinction(std::vector<Labelled>& runs, const std::string& (*text)(const Run& run)) {
  std::map<std::string, int> counts;
  for (const Labelled& row : runs) ++counts[row.label];
  for (Labelled& row : runs)
    if (counts[row.label] > 1) row.label += " " + text(*row.run);
}

}  // namespace

std::vector<Labelled> label_runs(const Comparison& comparison) {
  std::vector<Labelled> runs{{.run = &comparison.reference, .label = comparison.reference.recipe}};
  for (const CandidateComparison& candidate : comparison.candidates)
    runs.push_back({.run = &candidate.run, .label = candidate.run.recipe, .comparison = &candidate});
  if (!all_equal(runs, &Run::model))
    for (Labelled& row : runs) row.label += " " + row.run->model;
  if (!all_equal(runs, &Run::backend))
    for (Labelled& row : runs) row.label += " " + row.run->backend;
  if (!all_equal(runs, &Run::threads))
    for (Labelled& row : runs) row.label += fmt::format(" {} threads", row.run->threads);
  add_distinction(runs, [](const Run& run) -> const std::string& { return run.run_id; });
  return runs;
}

Shape shape_of(std::string_view metric_id) {
  Shape shape;
  const size_t at = metric_id.find('@');
  if (at == std::string_view::npos) return shape;
  const char* end = metric_id.data() + metric_id.size();
  const auto length = std::from_chars(metric_id.data() + at + 1, end, shape.length);
  if (length.ptr != end && *length.ptr == 'd') std::from_chars(length.ptr + 1, end, shape.depth);
  return shape;
}

std::vector<std::string> metric_ids(const std::vector<Labelled>& runs, std::string_view family) {
  std::vector<std::string> ids;
  for (const Labelled& row : runs)
    for (const Metric& metric : row.run->metrics)
      if (metric_family(metric.id) == family && std::find(ids.begin(), ids.end(), metric.id) == ids.end()) ids.push_back(metric.id);
  return ids;
}

std::string main_metric_id(const std::vector<Labelled>& runs, std::string_view family) {
  std::string best;
  for (const std::string& id : metric_ids(runs, family)) {
    const Shape shape = shape_of(id);
    if (best.empty()) {
      best = id;
      continue;
    }
    const Shape other = shape_of(best);
    if (shape.depth < other.depth || (shape.depth == other.depth && shape.length > other.length)) best = id;
  }
  return best;
}

const MetricInfo* find_info(const std::vector<Labelled>& runs, std::string_view metric_id) {
  for (const Labelled& row : runs)
    if (const MetricInfo* info = row.run->find_info(metric_id)) return info;
  return nullptr;
}

std::string value_text(const MetricInfo& info, double value) {
  for (const UnitFormat& row : kUnitFormats)
    if (row.unit == info.unit) return row.text(value);
  return plain_text(value);
}

std::string change_text(const MetricComparison& metric) {
  const bool by_ratio = metric.is_ratio && metric.ratio.has_value();
  if (by_ratio) return "×" + ratio_text(*metric.ratio);
  if (!metric.difference) return "-";
  const bool is_share = metric.info.unit == "share";
  const double scaled = is_share ? 100 * *metric.difference : *metric.difference;
  const std::string unit = is_share ? " points" : metric.info.unit == "1" ? "" : " " + metric.info.unit;
  return fmt::format("{}{}{}", scaled > 0 ? "+" : scaled < 0 ? "−" : "±", format_number(std::abs(scaled), 3), unit);
}

std::string verdict_note(const MetricComparison& metric) {
  std::string note(verdict_name(metric.verdict));
  std::replace(note.begin(), note.end(), '_', ' ');
  if (!metric.mark.empty()) note += " (" + metric.mark + ")";
  if (!metric.reason.empty()) note += ": " + metric.reason;
  return note;
}

Cell metric_cell(const Run& run, std::string_view metric_id) {
  const Metric* metric = run.find_metric(metric_id);
  if (metric == nullptr) return {.text = "-"};
  if (!metric->value) return {.text = "-", .note = metric->reason};
  const MetricInfo* info = run.find_info(metric_id);
  return {.text = info != nullptr ? value_text(*info, *metric->value) : format_number(*metric->value), .value = metric->value,
          .low = metric->low, .high = metric->high};
}

}  // namespace phiscope::reports
