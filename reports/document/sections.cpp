#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/base/text.h"
#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

struct SentencePart {
  std::string_view family;
  std::string_view words;
  bool shows_value;   // the value itself says more than its change
};
constexpr std::array kCosts{
    SentencePart{"file_bytes", "file", false},
    SentencePart{"peak_rss_bytes", "peak memory", false},
    SentencePart{"prefill_tokens_per_s", "prefill", false},
    SentencePart{"decode_tokens_per_s", "decode", false},
};
constexpr std::array kLosses{
    SentencePart{"perplexity", "perplexity", false},
    SentencePart{"kld_mean", "KLD", true},
    SentencePart{"same_top1", "same top 1", true},
};

std::string short_verdict(const MetricComparison& metric) {
  std::string name(verdict_name(metric.verdict));
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string phrase(const MetricComparison& metric, std::string_view words, bool shows_value) {
  if (!metric.candidate) return {};
  std::string text = shows_value ? value_text(metric.info, *metric.candidate) : change_text(metric);
  if (shows_value && metric.info.unit == "nat") text += " nat";
  return fmt::format("{} {} ({})", words, text, short_verdict(metric));
}

std::string join(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ", ")); }

template <class Parts>
std::vector<std::string> phrases(const std::vector<Labelled>& runs, const CandidateComparison& candidate, const Parts& parts) {
  std::vector<std::string> result;
  for (const SentencePart& part : parts) {
    const MetricComparison* metric = candidate.find(main_metric_id(runs, part.family));
    std::string text = metric != nullptr ? phrase(*metric, part.words, part.shows_value) : std::string();
    if (!text.empty()) result.push_back(std::move(text));
  }
  return result;
}

List::Item verdict_sentence(const std::vector<Labelled>& runs, const Labelled& row) {
  if (row.run->status != RunStatus::done && row.run->metrics.empty())
    return {row.label, fmt::format("{}: {}.", run_status_name(row.run->status), row.run->reason)};
  std::vector<std::string> losses = phrases(runs, *row.comparison, kLosses);
  for (const std::string& id : metric_ids(runs, "task_accuracy")) {
    const MetricComparison* metric = row.comparison->find(id);
    if (metric != nullptr && metric->candidate) losses.push_back(phrase(*metric, id.substr(id.find(':') + 1), false));
  }
  const std::string costs = join(phrases(runs, *row.comparison, kCosts));
  std::string sentence = costs;
  if (!losses.empty()) sentence += (costs.empty() ? "" : "; ") + join(losses);
  return {fmt::format("{} against {}", row.label, runs.front().label), sentence + "."};
}

std::string interval_text(const MetricComparison& metric) {
  if (!metric.low || !metric.high) return "-";
  if (*metric.low == *metric.high) return "exact";
  if (metric.is_ratio) return fmt::format("×{} .. ×{}", format_number(*metric.low, 4), format_number(*metric.high, 4));
  if (metric.info.unit == "share") return fmt::format("{} .. {} points", format_number(100 * *metric.low, 4), format_number(100 * *metric.high, 4));
  return fmt::format("{} .. {}", format_number(*metric.low, 4), format_number(*metric.high, 4));
}

std::string environment_of(const Run& run, const std::string& key) {
  const auto found = run.environment.find(key);
  return found == run.environment.end() ? std::string("-") : found->second;
}

// The run's own fields and its environment under one set of names.
std::map<std::string, std::string> facts_of(const Run& run) {
  std::map<std::string, std::string> facts(run.environment.begin(), run.environment.end());
  facts["run_id"] = run.run_id;
  facts["started_at"] = run.started_at;
  facts["seconds"] = format_number(run.seconds, 4);
  facts["model"] = run.model;
  facts["model_hash"] = run.model_hash;
  facts["artifact_hash"] = run.artifact_hash;
  facts["tokenizer_hash"] = run.tokenizer_hash;
  facts["recipe"] = run.recipe;
  facts["backend"] = run.backend;
  facts["suite"] = run.suite;
  facts["suite_hash"] = run.suite_hash;
  facts["threads"] = std::to_string(run.threads);
  facts["device"] = run.device;
  facts["requested"] = run.requested;
  facts["effective"] = run.effective;
  facts["app_version"] = run.app_version;
  facts.erase("command");  // shown under "How to measure this again"
  return facts;
}

}  // namespace

List build_verdicts(const std::vector<Labelled>& runs) {
  List list;
  for (const Labelled& row : runs)
    if (row.comparison != nullptr) list.items.push_back(verdict_sentence(runs, row));
  return list;
}

Table build_metric_table(const Labelled& candidate, const Labelled& reference) {
  Table table{.id = "metrics:" + candidate.run->run_id, .title = fmt::format("{} against {}", candidate.label, reference.label), .is_detail = true};
  table.columns = {"Metric", "Unit", reference.label, candidate.label, "Change", "95 % interval", "Verdict"};
  for (const MetricComparison& metric : candidate.comparison->metrics) {
    const Cell reference_cell = metric_cell(*reference.run, metric.id);
    Cell own = metric_cell(*candidate.run, metric.id);
    own.note.clear();  // a missing value's reason stands beside the verdict
    const std::optional<double> change = metric.is_ratio ? metric.ratio : metric.difference;
    table.rows.push_back({{.text = metric.id},
                          {.text = metric.info.unit},
                          {.text = reference_cell.text, .value = reference_cell.value, .low = reference_cell.low, .high = reference_cell.high},
                          own,
                          {.text = change ? change_text(metric) : "-", .value = change},
                          {.text = interval_text(metric), .low = metric.low, .high = metric.high},
                          {.text = "", .note = verdict_note(metric)}});
  }
  return table;
}

std::vector<Block> build_warnings(const std::vector<Labelled>& runs) {
  Table warnings{.id = "warnings", .title = "Warnings", .columns = {"Run", "What happened", "What to do"}};
  Table ends{.id = "not_done", .title = "Runs that did not finish", .columns = {"Run", "Status", "Reason"}};
  for (const Labelled& row : runs) {
    for (const Warning& warning : row.run->warnings) warnings.rows.push_back({{.text = row.label}, {.text = warning.sentence}, {.text = warning.remedy}});
    if (row.run->status != RunStatus::done)
      ends.rows.push_back({{.text = row.label}, {.text = std::string(run_status_name(row.run->status))}, {.text = row.run->reason}});
  }
  std::vector<Block> blocks{Heading{2, "Warnings"}};
  if (warnings.rows.empty() && ends.rows.empty()) blocks.push_back(Paragraph{"None: every run finished and none was disturbed."});
  if (!ends.rows.empty()) blocks.push_back(ends);
  if (!warnings.rows.empty()) blocks.push_back(warnings);
  return blocks;
}

std::vector<Block> build_environment(const std::vector<Labelled>& runs) {
  std::vector<std::map<std::string, std::string>> facts;
  std::set<std::string> keys;
  for (const Labelled& row : runs) {
    facts.push_back(facts_of(*row.run));
    for (const auto& [key, value] : facts.back()) keys.insert(key);
  }
  Table common{.id = "environment", .title = "The same in all runs", .columns = {"Field", "Value"}, .is_detail = true};
  Table different{.id = "environment_differences", .title = "Different between runs", .columns = {"Field"}, .is_detail = true};
  for (const Labelled& row : runs) different.columns.push_back(row.label);
  for (const std::string& key : keys) {
    std::vector<Cell> cells{{.text = key}};
    bool is_common = true;
    for (auto& run : facts) {
      const auto found = run.find(key);
      cells.push_back({.text = found == run.end() ? "-" : found->second});
      is_common = is_common && cells.back().text == cells[1].text;
    }
    if (is_common)
      common.rows.push_back({cells[0], cells[1]});
    else
      different.rows.push_back(std::move(cells));
  }
  std::vector<Block> blocks{Heading{2, "Environment"}};
  if (!common.rows.empty()) blocks.push_back(common);
  if (!different.rows.empty()) blocks.push_back(different);
  return blocks;
}

Table build_definitions(const std::vector<Labelled>& runs) {
  Table table{.id = "definitions", .title = "What each metric means", .columns = {"Metric", "Name", "Unit", "Better", "Definition", "Smallest effect that matters", "Version"},
              .is_detail = true};
  std::set<std::string> seen;
  for (const Labelled& row : runs) {
    for (const MetricInfo& info : row.run->metric_infos) {
      if (!seen.insert(fmt::format("{} {}", info.id, info.version)).second) continue;
      const std::string relevant = info.relevant_is_relative ? fmt::format("{} %", format_number(100 * info.relevant_difference, 3))
                                   : info.unit == "share"    ? fmt::format("{} points", format_number(100 * info.relevant_difference, 3))
                                                             : fmt::format("{} {}", format_number(info.relevant_difference, 3), info.unit);
      table.rows.push_back({{.text = info.id}, {.text = info.label}, {.text = info.unit}, {.text = std::string(direction_name(info.direction))},
                            {.text = info.definition}, {.text = relevant, .value = info.relevant_difference},
                            {.text = std::to_string(info.version), .value = static_cast<double>(info.version)}});
    }
  }
  return table;
}

std::vector<Block> build_reproduction(const std::vector<Labelled>& runs) {
  std::vector<Block> blocks{Heading{2, "How to measure this again"}};
  std::set<std::string> commands;
  for (const Labelled& row : runs) {
    const std::string command = environment_of(*row.run, "command");
    if (command != "-" && commands.insert(command).second) blocks.push_back(Code{command});
  }
  if (commands.empty()) blocks.push_back(Paragraph{"The command that made these runs was not recorded."});
  std::string ids;
  for (const Labelled& row : runs) ids += " " + row.run->run_id;
  blocks.push_back(Paragraph{"This report from the stored runs; every sample is in the database:"});
  blocks.push_back(Code{"phiscope report" + ids + " --format html --out report.html"});
  return blocks;
}

}  // namespace phiscope::reports
