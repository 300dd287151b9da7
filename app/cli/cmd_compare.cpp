#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/cli/command.h"
#include "app/cli/layout.h"
#include "app/cli/output.h"
#include "app/session/run_json.h"
#include "app/session/stored_runs.h"
#include "core/base/text.h"

namespace phiscope::cli {
namespace {

using reports::Comparison;
using reports::MetricComparison;
using reports::Verdict;

struct Options {
  std::vector<std::string> runs;
  std::string reference;
  std::vector<std::string> fail_on, metrics, across;
  std::filesystem::path db;
};

Json to_json(const Comparison& comparison) {
  Json document;
  document["schema"] = "phiscope/compare/1";
  document["reference"] = comparison.reference.run_id;
  document["candidates"] = Json::array();
  for (const auto& candidate : comparison.candidates) {
    Json metrics = Json::array();
    for (const MetricComparison& metric : candidate.metrics) {
      Json row = {{"id", metric.id},
                  {"reference", session::number_or_null(metric.reference)},
                  {"candidate", session::number_or_null(metric.candidate)},
                  {"ratio", session::number_or_null(metric.ratio)},
                  {"difference", session::number_or_null(metric.difference)},
                  {"low", session::number_or_null(metric.low)},
                  {"high", session::number_or_null(metric.high)},
                  {"interval_of", metric.is_ratio ? "ratio" : "difference"},
                  {"unit", metric.info.unit},
                  {"verdict", verdict_name(metric.verdict)}};
      if (!metric.reason.empty()) row["reason"] = metric.reason;
      if (!metric.mark.empty()) row["mark"] = metric.mark;
      metrics.push_back(row);
    }
    document["candidates"].push_back({{"run_id", candidate.run.run_id}, {"recipe", candidate.run.recipe}, {"metrics", metrics}});
  }
  return document;
}

std::string number_text(const std::optional<double>& value) { return value ? format_number(*value) : "-"; }

std::string change_text(const MetricComparison& metric) {
  if (metric.is_ratio) return metric.ratio ? fmt::format("x {}", format_number(*metric.ratio)) : "-";
  return metric.difference ? fmt::format("{}{}", *metric.difference > 0 ? "+" : "", format_number(*metric.difference)) : "-";
}

std::string interval_text(const MetricComparison& metric) {
  if (!metric.low || !metric.high) return "";
  return fmt::format("{} .. {}", format_number(*metric.low), format_number(*metric.high));
}

constexpr size_t kRowsWidth = 120;  // what a row of every value needs, without the reason

std::string reason_text(const MetricComparison& metric) {
  return metric.reason + (metric.reason.empty() || metric.mark.empty() ? "" : "; ") + metric.mark;
}

void print_rows(const reports::CandidateComparison& candidate) {
  std::vector<std::vector<std::string>> rows{{"metric", "unit", "reference", "candidate", "change", "95 % interval", "verdict", ""}};
  for (const MetricComparison& metric : candidate.metrics)
    rows.push_back({metric.id, metric.info.unit, number_text(metric.reference), number_text(metric.candidate), change_text(metric),
                    interval_text(metric), std::string(verdict_name(metric.verdict)), reason_text(metric)});
  print(format_rows(rows));
}

/// For a narrow terminal: a metric with its verdict, the values and the reason below.
void print_paragraphs(const reports::CandidateComparison& candidate, size_t width) {
  for (const MetricComparison& metric : candidate.metrics) {
    const std::string interval = interval_text(metric), reason = reason_text(metric);
    const std::string unit = metric.info.unit == "1" ? "" : " " + metric.info.unit;
    std::string values = fmt::format("{} -> {}{}, {}", number_text(metric.reference), number_text(metric.candidate), unit, change_text(metric));
    if (!interval.empty()) values += fmt::format(" ({})", interval);
    if (!reason.empty()) values += "; " + reason;
    const std::string below = format_paragraph(values, 4, width);
    print(fmt::format("{}  {}\n{}", metric.id, verdict_name(metric.verdict), below.substr(0, below.size() - 1)));
  }
  print("");
}

void print_text(const Comparison& comparison) {
  print(format_precisions(comparison));
  const size_t width = stdout_width();
  const Run& reference = comparison.reference;
  for (const auto& candidate : comparison.candidates) {
    print(fmt::format("{} {} against {} {}", candidate.run.recipe, candidate.run.run_id, reference.recipe, reference.run_id));
    if (width == 0 || width >= kRowsWidth)
      print_rows(candidate);
    else
      print_paragraphs(candidate, width);
  }
}

/// "decode_tokens_per_s@64" names one, "decode_tokens_per_s" all shapes of a family; without any, all.
bool is_chosen(const Options& options, const std::string& id) {
  return options.metrics.empty() || std::any_of(options.metrics.begin(), options.metrics.end(),
                                                [&](const std::string& name) { return name == id || name == metric_family(id); });
}

Result<int> run(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(Comparison comparison, session::compare_stored_runs(options.db, options.runs, options.reference, {options.across}));
  for (auto& candidate : comparison.candidates)
    std::erase_if(candidate.metrics, [&](const MetricComparison& metric) { return !is_chosen(options, metric.id); });
  const bool is_empty = std::all_of(comparison.candidates.begin(), comparison.candidates.end(), [](const auto& c) { return c.metrics.empty(); });
  if (!options.metrics.empty() && is_empty)
    return fail(ErrorCode::not_found, "no compared run has the metric {}; phiscope runs show last lists those of a run", fmt::join(options.metrics, ", "));
  if (shared.json)
    print_json(to_json(comparison));
  else
    print_text(comparison);
  if (options.fail_on.empty()) return kExitDone;
  if (comparison.candidates.empty()) return fail(ErrorCode::invalid_argument, "there is one run only, so nothing was compared; name a second one");
  std::vector<std::string> found;
  for (const auto& candidate : comparison.candidates)
    for (const MetricComparison& metric : candidate.metrics)
      if (std::find(options.fail_on.begin(), options.fail_on.end(), verdict_name(metric.verdict)) != options.fail_on.end())
        found.push_back(fmt::format("{} of {} is {}", metric.id, candidate.run.recipe, verdict_name(metric.verdict)));
  if (found.empty()) return kExitDone;
  print_note(fmt::format("{}", fmt::join(found, "; ")));
  return kExitFound;
}

}  // namespace

Action add_compare(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.add_option("RUN", options->runs, "Runs: id, the beginning of an id, last, last~1 ... (default: the last bench)");
  command.add_option("--reference", options->reference, "Run that the others are compared with (default: fp32 if it is among them, else the first)");
  command.add_option("--fail-on", options->fail_on, "Exit with status 3 when a metric has one of these verdicts")
      ->delimiter(',')
      ->type_name("VERDICT,...")
      ->check(CLI::IsMember({"worse", "unclear", "not_comparable", "better"}));
  command.add_option("--metric", options->metrics, "Only these metrics; a name without its shape means all shapes")->delimiter(',')->type_name("ID,...");
  command.add_option("--across", options->across, "What may differ: model, tokenizer, suite, device, convention, protocol")->delimiter(',')->type_name("WHAT,...");
  add_db_option(command, options->db);
  return [options, &shared] { return run(*options, shared); };
}

}  // namespace phiscope::cli
