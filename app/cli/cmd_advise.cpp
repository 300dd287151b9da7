#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/advise.h"
#include "core/base/text.h"

namespace phiscope::cli {
namespace {

using device::Candidate;
using device::Evidence;
using device::EvidenceKind;

constexpr size_t kShownByDefault = 8;

struct Options : session::AdviseOptions {
  bool all = false;
};

// --- JSON ---------------------------------------------------------------------------------------------------------------

Json optional_json(const std::optional<double>& value) { return value && std::isfinite(*value) ? Json(*value) : Json(); }

Json evidence_json(const Evidence& evidence) {
  Json row{{"metric", evidence.metric}, {"value", optional_json(evidence.value)}, {"unit", evidence.unit}, {"kind", evidence_kind_name(evidence.kind)},
           {"low", optional_json(evidence.low)}, {"high", optional_json(evidence.high)}};
  if (evidence.value) {
    row["formula"] = evidence.formula;
    row["source"] = evidence.source;
  } else {
    row["reason"] = evidence.formula;
  }
  return row;
}

Json candidate_json(const Candidate& candidate) {
  Json evidence = Json::array();
  for (const Evidence* one : {&candidate.decode, &candidate.ttft, &candidate.memory, &candidate.loss}) evidence.push_back(evidence_json(*one));
  for (const Evidence& one : candidate.more) evidence.push_back(evidence_json(one));
  return {{"format", candidate.format->id}, {"name", candidate.format->name}, {"engine", candidate.format->engine},
          {"unit", unit_kind_name(candidate.unit.kind)}, {"precision", candidate.format->precision}, {"recipe", candidate.format->recipe},
          {"fits", candidate.fits}, {"evidence", evidence}, {"reasons", candidate.reasons}, {"command", candidate.command}};
}

Json document_of(const session::AdviceReport& report) {
  const device::AdviceRequest& request = report.request;
  Json ranking = Json::array(), removed = Json::array();
  for (size_t i = 0; i < report.advice.ranking.size(); ++i) {
    Json row{{"rank", i + 1}};
    row.update(candidate_json(report.advice.ranking[i]));
    ranking.push_back(std::move(row));
  }
  for (const Candidate& candidate : report.advice.removed) {
    Json row = candidate_json(candidate);
    row["constraint"] = candidate.constraint;
    row["reason"] = candidate.removal;
    removed.push_back(std::move(row));
  }
  return {{"schema", "phiscope/advise/1"}, {"model", report.model}, {"preparation", report.preparation}, {"device", request.device.id}, {"device_name", request.device.name},
          {"context", request.context}, {"prompt", request.prompt}, {"ranking", ranking}, {"removed", removed}, {"cookbook", report.advice.cookbook},
          {"changes", report.advice.changes}, {"assumptions", report.advice.assumptions}};
}

// --- text ---------------------------------------------------------------------------------------------------------------

std::string_view kind_mark(const Evidence& evidence) {
  if (!evidence.value) return "";
  static constexpr std::string_view kMarks[] = {" m", " p", " e"};
  return kMarks[static_cast<size_t>(evidence.kind)];
}

std::string number_text(const Evidence& evidence, double scale, std::string_view unit) {
  if (!evidence.value) return "?";
  return fmt::format("{}{}{}", format_number(scale * *evidence.value, 3), unit, kind_mark(evidence));
}

std::string range_text(const Evidence& evidence) {
  if (!evidence.value) return "?";
  const std::string range = evidence.low && evidence.high && *evidence.low != *evidence.high
                                ? fmt::format(" ({} .. {})", format_number(*evidence.low, 3), format_number(*evidence.high, 3))
                                : "";
  return fmt::format("{}{}{}", format_number(*evidence.value, 3), range, kind_mark(evidence));
}

std::string loss_text(const Evidence& loss) {
  if (!loss.value) return "?";
  const double percent = 100 * *loss.value;
  const std::string number = std::abs(percent) < 0.05 ? "0" : fmt::format("{}{}", percent > 0 ? "+" : "−", format_number(std::abs(percent), 2));
  return fmt::format("{} %{}{}", number, loss.metric == "score_loss" ? " of score" : "", kind_mark(loss));
}

std::string bytes_text(double bytes) { return format_bytes(static_cast<uint64_t>(std::max(0.0, std::round(bytes)))); }

std::string table_of(const std::vector<Candidate>& candidates, size_t limit) {
  std::vector<std::vector<std::string>> rows{{"#", "FORMAT", "ENGINE", "ON", "DECODE TOK/S", "FIRST TOKEN MS", "MEMORY", "QUALITY LOST"}};
  for (size_t i = 0; i < std::min(limit, candidates.size()); ++i) {
    const Candidate& c = candidates[i];
    rows.push_back({std::to_string(i + 1), std::string(c.format->name), std::string(device::engine_name(c.format->engine)), std::string(unit_kind_name(c.unit.kind)),
                    range_text(c.decode), number_text(c.ttft, 1, ""), bytes_text(*c.memory.value), loss_text(c.loss)});
  }
  return format_rows(rows);
}

std::string first_place(const session::AdviceReport& report) {
  const Candidate& first = report.advice.ranking.front();
  std::string text = fmt::format("Take {} with {} on the {} ({}).\n", first.format->name, device::engine_name(first.format->engine),
                                 unit_kind_name(first.unit.kind), first.unit.name);
  text += fmt::format("  Speed:   {} tok/s, first token after {}\n", range_text(first.decode), number_text(first.ttft, 1, " ms"));
  if (first.budget_bytes > 0)
    text += fmt::format("  Memory:  {} of {} that are free for it\n", bytes_text(*first.memory.value), bytes_text(first.budget_bytes));
  else
    text += fmt::format("  Memory:  {}; the device's is not stated\n", bytes_text(*first.memory.value));
  text += fmt::format("  Quality: {} lost in {}\n", loss_text(first.loss), first.loss.metric == "score_loss" ? "scores" : "perplexity");
  for (const Evidence& more : first.more)
    if (more.metric != "peak_rss_bytes") text += fmt::format("           {} {}\n", more.metric, number_text(more, 1, ""));
  if (!report.preparation.empty()) text += fmt::format("  Get it:  {}\n", report.preparation);
  text += fmt::format("  Make it: {}\n", first.command);
  if (!first.format->note.empty()) text += fmt::format("  Note:    {}\n", first.format->note);
  return text;
}

std::string removed_text(const std::vector<Candidate>& removed) {
  std::vector<std::vector<std::string>> rows;
  for (const Candidate& c : removed)
    rows.push_back({fmt::format("  {}", c.format->name), fmt::format("{}, {}", device::engine_name(c.format->engine), unit_kind_name(c.unit.kind)), c.constraint, c.removal});
  return format_rows(rows);
}

std::string bullets(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += fmt::format("  - {}\n", sentence);
  return text;
}

std::string evidence_text(const std::vector<Candidate>& ranking, size_t limit) {
  std::string text;
  for (size_t i = 0; i < std::min(limit, ranking.size()); ++i) {
    const Candidate& c = ranking[i];
    text += fmt::format("  {}. {} with {} on the {}\n", i + 1, c.format->name, device::engine_name(c.format->engine), unit_kind_name(c.unit.kind));
    for (const Evidence* evidence : {&c.decode, &c.ttft, &c.memory, &c.loss})
      text += fmt::format("     {} ({}): {}{}\n", evidence->metric, evidence->value ? evidence_kind_name(evidence->kind) : "unknown", evidence->formula,
                          evidence->source.empty() ? "" : fmt::format(" [{}]", evidence->source));
    text += fmt::format("     make it: {}\n", c.command);
  }
  return text;
}

std::string text_of(const session::AdviceReport& report, const Options& options) {
  const device::AdviceRequest& request = report.request;
  const device::Advice& advice = report.advice;
  const size_t limit = options.all ? advice.ranking.size() : kShownByDefault;
  std::string text = fmt::format("{} ({} parameters) on {}\n\n", report.model,
                                 request.model.parameters >= 1'000'000'000 ? fmt::format("{} billion", format_number(static_cast<double>(request.model.parameters) * 1e-9, 3))
                                                                           : fmt::format("{} million", format_number(static_cast<double>(request.model.parameters) * 1e-6, 3)),
                                 request.device.name);
  if (!request.device.note.empty()) text += fmt::format("Note: {}\n\n", request.device.note);
  if (advice.ranking.empty())
    text += "Nothing fits: every candidate was removed (below).\n\n";
  else
    text += fmt::format("{}\n{}", first_place(report), table_of(advice.ranking, limit));
  if (advice.ranking.size() > limit) text += fmt::format("... and {} more: --all\n", advice.ranking.size() - limit);
  text += "m measured here, p published or measured elsewhere, e estimated; (low .. high) is the range of the evidence\n";
  if (!advice.removed.empty()) text += fmt::format("\nRemoved, and by what\n{}", removed_text(advice.removed));
  if (!advice.cookbook.empty()) text += fmt::format("\nGuidance: {}.\n", advice.cookbook);
  if (!advice.changes.empty()) text += fmt::format("\nWhat would change this\n{}", bullets(advice.changes));
  if (!advice.ranking.empty()) text += fmt::format("\nWhere the numbers are from\n{}", evidence_text(advice.ranking, options.all ? limit : 2));
  text += fmt::format("\nAssumed\n{}", bullets(advice.assumptions));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<int> run(const Options& options, const Shared& shared) {
  ProgressLine line(shared.quiet);
  PHISCOPE_ASSIGN(const session::AdviceReport report, session::advise(options, call_options(line)));
  line.clear();
  if (shared.json)
    print_json(document_of(report));
  else
    print(text_of(report, options));
  return kExitDone;
}

}  // namespace

Action add_advise(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.add_option("MODEL", options->model, "Model, or the name of a published Phi such as phi-4-mini (default: the model of the last bench)");
  command.add_option("--device", options->device, "Profile of phiscope device list, or a .toml file (default: this machine)")->type_name("PROFILE");
  command.add_option("--need", options->needs,
                     "latency=50ms (a token), ttft=500ms, memory=4GB, quality=5% (growth of the perplexity), quality=kld:0.05; or latency, memory or "
                     "quality alone: what matters most. May be repeated")
      ->type_name("NEED");
  command.add_option("--context", options->context, "Positions that the cache has to hold (default: 4096 or the model's)")->type_name("N")->check(CLI::Range(1, 1 << 20));
  command.add_option("--prompt", options->prompt, "Tokens of a typical prompt (default: 512)")->type_name("N")->check(CLI::Range(1, 1 << 20));
  command.add_flag("--all", options->all, "Show every candidate with its evidence");
  add_db_option(command, options->db);
  return [options, &shared] { return run(*options, shared); };
}

}  // namespace phiscope::cli
