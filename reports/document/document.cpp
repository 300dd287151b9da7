#include "reports/document/document.h"

#include <fmt/format.h>

#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

std::string question(const Run& reference) {
  return fmt::format("What does each bit of {} cost, and what does it buy, on {}?", reference.model,
                     reference.device.empty() ? "this device" : reference.device);
}

std::string setting(const Run& reference, size_t runs) {
  return fmt::format("{} backend, {} thread{}, suite {}, {} run{}, first started {}, Phiscope {}", reference.backend, reference.threads,
                     reference.threads == 1 ? "" : "s", reference.suite, runs, runs == 1 ? "" : "s", reference.started_at, reference.app_version);
}

// The rules that the verdicts follow, for a reader who has nothing but the report.
std::vector<Block> method() {
  return {Heading{2, "How the verdicts are made"},
          List{{{"better, worse", "chance is excluded at 95 % confidence, and the change is larger than the smallest effect that matters."},
                {"same", "the whole interval lies within that smallest effect."},
                {"unclear", "anything else, with what would settle it."},
                {"not comparable", "the two sides differ in model, data, convention, device or metric version; the field is named."},
                {"Speed", "median of the ratios of repetitions that took turns, bootstrap over the pairs; runs made at different times are resampled "
                          "on their own and marked \"unpaired in time\"."},
                {"Fidelity", "the same tokens on both sides, bootstrap over windows. Where the reference is compared with itself its divergence is "
                             "0; a divergence below the measured floor, or below 0.0001 nat where none was measured, counts as the same."},
                {"Tasks", "McNemar's test on the items whose answers changed."},
                {"Several candidates", "the p value behind each verdict is Holm-adjusted over the candidates. The intervals shown are 95 % each, without "
                                       "that adjustment: one that excludes no change can still be unclear."},
                {"Sizes and memory", "compared exactly."}}}};
}

void append(std::vector<Block>& blocks, std::vector<Block> more) {
  for (Block& block : more) blocks.push_back(std::move(block));
}

}  // namespace

Document build_document(const Comparison& comparison, const TokenText& token_text) {
  const std::vector<Labelled> runs = label_runs(comparison);
  Document document;
  document.title = question(comparison.reference);
  document.subtitle = setting(comparison.reference, runs.size());
  if (std::optional<Answer> answer = build_answer(runs)) document.blocks.push_back(std::move(*answer));
  document.blocks.push_back(build_precision_table(comparison));
  if (runs.size() > 1) {
    document.blocks.push_back(Heading{2, "What changed"});
    document.blocks.push_back(build_verdicts(runs));
  }
  document.blocks.push_back(Heading{2, "Charts"});
  for (Chart& chart : build_charts(runs)) document.blocks.push_back(std::move(chart));
  document.blocks.push_back(build_effective_table(comparison));
  append(document.blocks, build_worst_tokens(runs, token_text));
  append(document.blocks, build_warnings(runs));
  if (runs.size() > 1) document.blocks.push_back(Heading{2, "Every metric"});
  for (const Labelled& row : runs)
    if (row.comparison != nullptr && !row.run->metrics.empty()) document.blocks.push_back(build_metric_table(row, runs.front()));
  append(document.blocks, method());
  document.blocks.push_back(Heading{2, "Definitions"});
  document.blocks.push_back(build_definitions(runs));
  append(document.blocks, build_environment(runs));
  append(document.blocks, build_reproduction(runs));
  document.runs.push_back(comparison.reference);
  for (const CandidateComparison& candidate : comparison.candidates) document.runs.push_back(candidate.run);
  return document;
}

}  // namespace phiscope::reports
