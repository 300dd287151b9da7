#include <fmt/format.h>

#include <map>

#include "core/base/text.h"
#include "core/stats/proportion.h"
#include "reports/compare/evidence.h"

namespace phiscope::reports {
namespace {

struct Answer {
  uint8_t correct = 0;
  double prompt_hash = 0;  // 0 in runs of older versions
};

// item -> answer, of "task_accuracy:NAME" or "task_accuracy_norm:NAME"; both come from the series of task_accuracy.
std::map<int64_t, Answer> answers_of(const Run& run, const std::string& id) {
  std::map<int64_t, Answer> answers;
  const size_t colon = id.find(':');
  if (colon == std::string::npos) return answers;
  const bool is_normalized = metric_family(id) != "task_accuracy";
  for (const Series& series : run.series) {
    if (series.kind != "task_items" || series.metric.substr(series.metric.find(':') + 1) != id.substr(colon + 1)) continue;
    const std::vector<double>* item = find_column(series, "item");
    const std::vector<double>* correct = find_column(series, is_normalized ? "correct_normalized" : "correct");
    if (item == nullptr || correct == nullptr) continue;
    const std::vector<double>* hash = find_column(series, "prompt_hash");
    for (size_t i = 0; i < item->size(); ++i)
      answers[static_cast<int64_t>((*item)[i])] = {static_cast<uint8_t>((*correct)[i] != 0 ? 1 : 0), hash == nullptr ? 0 : (*hash)[i]};
  }
  return answers;
}

}  // namespace

Finding task_evidence(const Run& reference, const Run& candidate, const std::string& id) {
  const auto a = answers_of(reference, id);
  const auto b = answers_of(candidate, id);
  if (a.empty() || b.empty()) return {.reason = "no items to pair"};
  std::vector<uint8_t> x, y;
  for (const auto& [item, answer] : a) {
    const auto other = b.find(item);
    if (other == b.end()) return {.reason = fmt::format("item {} was asked on one side only", item), .is_mismatch = true};
    if (answer.prompt_hash != 0 && other->second.prompt_hash != 0 && answer.prompt_hash != other->second.prompt_hash)
      return {.reason = fmt::format("item {} was asked in other words", item), .is_mismatch = true};
    x.push_back(answer.correct);
    y.push_back(other->second.correct);
  }
  if (a.size() != b.size()) return {.reason = fmt::format("items asked: {} and {}", a.size(), b.size()), .is_mismatch = true};
  const stats::Flips flips = stats::count_flips(x, y);
  const stats::Interval difference = stats::paired_share_difference(flips);
  const double smallest = stats::minimum_detectable_effect(flips);
  Evidence evidence{.is_ratio = false, .estimate = difference.estimate, .low = difference.low, .high = difference.high,
                    .units = flips.n, .unit_name = "items", .p_value = stats::mcnemar_p(flips), .test = "McNemar"};
  if (flips.lost + flips.gained == 0) {
    evidence.note = fmt::format("no answer of {} changed", flips.n);
    return {.evidence = evidence};
  }
  evidence.note = fmt::format("{} items lost, {} gained of {}; smallest detectable effect {} points", flips.lost, flips.gained, flips.n,
                              format_number(100 * smallest, 2));
  return {.evidence = evidence};
}

}  // namespace phiscope::reports
