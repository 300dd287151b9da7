#include <fmt/format.h>

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/history.h"
#include "app/session/run_json.h"
#include "app/session/stored_runs.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/bench/catalogue.h"

namespace phiscope::cli {
namespace {

constexpr uint64_t kMaxImportBytes = uint64_t{1} << 31;

struct Options {
  RunFilter filter;
  std::vector<std::string> ids;
  std::string metric;
  std::string format = "json";
  std::filesystem::path in, out, db;
};

Result<int> list(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  PHISCOPE_ASSIGN(const auto runs, store->list(options.filter));
  if (shared.json) {
    print_json({{"schema", "phiscope/runs/1"}, {"runs", session::runs_to_json(runs)}});
    return kExitDone;
  }
  if (runs.empty()) {
    print("no runs; make some with: phiscope bench bundled:tiny-phi --recipe fp32,int8,int4");
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows{{"run", "started", "model", "recipe", "backend", "suite", "status", "reason"}};
  for (const Run& run : runs)
    rows.push_back({run.run_id, run.started_at, run.model, run.recipe, run.backend, run.suite, std::string(run_status_name(run.status)), run.reason});
  print(format_rows(rows));
  return kExitDone;
}

std::string interval_text(const Metric& metric) {
  return metric.low && metric.high ? fmt::format("{} .. {}", format_number(*metric.low), format_number(*metric.high)) : "";
}

void print_run(const Run& run) {
  std::vector<std::vector<std::string>> rows{{"run", run.run_id},     {"started", run.started_at}, {"model", run.model},
                                             {"recipe", run.recipe},  {"backend", run.backend},    {"suite", run.suite},
                                             {"status", std::string(run_status_name(run.status))}, {"reason", run.reason},
                                             {"effective", run.effective}};
  print(format_rows(rows));
  std::vector<std::vector<std::string>> metrics{{"metric", "value", "unit", "n", "range", ""}};
  for (const Metric& metric : run.metrics) {
    const MetricInfo* info = bench::find_metric_info(metric.id);
    metrics.push_back({metric.id, metric.value ? format_number(*metric.value) : "-", info != nullptr ? info->unit : "", std::to_string(metric.n),
                       interval_text(metric), metric.reason});
  }
  print(format_rows(metrics));
  std::vector<std::vector<std::string>> environment;
  for (const auto& [key, value] : run.environment) environment.push_back({key, value});
  print(format_rows(environment));
  for (const Warning& warning : run.warnings) print(fmt::format("warning: {}; {}", warning.sentence, warning.remedy));
}

Result<int> show(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  PHISCOPE_ASSIGN(const Run run, store->load(options.ids.front()));
  if (shared.json) {
    Json document;
    document["schema"] = "phiscope/runs/1";
    document.update(session::run_to_json(run));
    print_json(document);
  } else {
    print_run(run);
  }
  return kExitDone;
}

Result<int> remove(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  std::vector<std::string> removed;
  for (const std::string& id : options.ids) {
    PHISCOPE_ASSIGN(const Run run, store->load(id));
    PHISCOPE_TRY(store->remove(run.run_id));
    removed.push_back(run.run_id);
  }
  if (shared.json)
    print_json({{"schema", "phiscope/runs/1"}, {"deleted", removed}});
  else
    print(fmt::format("deleted {}", fmt::join(removed, ", ")));
  return kExitDone;
}

Result<int> recompute(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  std::vector<std::string> ids = options.ids;
  if (ids.empty()) {
    PHISCOPE_ASSIGN(const auto runs, store->list({}));
    for (const Run& run : runs) ids.push_back(run.run_id);
  }
  for (const std::string& id : ids) {
    PHISCOPE_ASSIGN(Run run, store->load(id));
    bench::compute_metrics(run);
    PHISCOPE_TRY(store->replace_metrics(run.run_id, run.metrics, run.metric_infos));
  }
  if (shared.json)
    print_json({{"schema", "phiscope/runs/1"}, {"recomputed", ids.size()}});
  else
    print(fmt::format("recomputed the metrics of {} runs from their samples", ids.size()));
  return kExitDone;
}

Result<int> export_stored(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  PHISCOPE_ASSIGN(const auto runs, session::load_runs(*store, options.ids));
  const std::string content = options.format == "csv" ? session::export_csv(runs) : session::export_runs(runs).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (options.out.empty()) {
    print(content);
    return kExitDone;
  }
  PHISCOPE_TRY(write_file(options.out, content));
  if (!shared.quiet) print_note(fmt::format("wrote {} runs to {}", runs.size(), options.out.string()));
  return kExitDone;
}

Result<int> import_file(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const std::string text, read_file(options.in, kMaxImportBytes));
  PHISCOPE_ASSIGN(const session::ImportedRuns imported, session::read_runs(text, options.in.string()));
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  PHISCOPE_ASSIGN(const int64_t added, store->add_missing(imported.runs));
  if (!shared.quiet)
    for (const std::string& notice : imported.notices) print_note(fmt::format("note: {}", notice));
  const auto known = static_cast<int64_t>(imported.runs.size()) - added;
  if (shared.json)
    print_json({{"schema", "phiscope/runs/1"}, {"imported", added}, {"known", known}});
  else
    print(fmt::format("imported {} runs{}", added, known > 0 ? fmt::format("; {} were there already and stay as they are", known) : ""));
  return kExitDone;
}

Json to_json(const session::HistoryRow& row) {
  Json json = {{"run_id", row.run.run_id}, {"started_at", row.run.started_at}, {"app_version", row.run.app_version}, {"model", row.run.model},
               {"recipe", row.run.recipe}, {"backend", row.run.backend}, {"device", row.run.device}, {"value", session::number_or_null(row.metric.value)},
               {"low", session::number_or_null(row.metric.low)}, {"high", session::number_or_null(row.metric.high)}, {"n", row.metric.n}};
  if (!row.metric.reason.empty()) json["reason"] = row.metric.reason;
  if (row.change)
    json["change"] = {{"run_id", row.compared_with}, {"ratio", session::number_or_null(row.change->ratio)}, {"low", session::number_or_null(row.change->low)},
                      {"high", session::number_or_null(row.change->high)}, {"verdict", reports::verdict_name(row.change->verdict)}, {"reason", row.change->reason}};
  return json;
}

Result<int> history(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  PHISCOPE_ASSIGN(const auto rows, session::metric_history(*store, options.metric, options.filter));
  if (shared.json) {
    Json document{{"schema", "phiscope/history/1"}, {"metric", options.metric}, {"unit", rows.front().info.unit}, {"rows", Json::array()}};
    for (const session::HistoryRow& row : rows) document["rows"].push_back(to_json(row));
    print_json(document);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> table{{"started", "version", "model", "recipe", "backend", options.metric, "unit", "range", "change", "verdict"}};
  for (const session::HistoryRow& row : rows)
    table.push_back({row.run.started_at.substr(0, 19), row.run.app_version, row.run.model, row.run.recipe, row.run.backend,
                     row.metric.value ? format_number(*row.metric.value) : row.metric.reason, row.info.unit, interval_text(row.metric),
                     row.change && row.change->ratio ? fmt::format("x {}", format_number(*row.change->ratio)) : "",
                     row.change ? std::string(reports::verdict_name(row.change->verdict)) : ""});
  print(format_rows(table));
  return kExitDone;
}

struct Verb {
  CLI::App* command;
  Result<int> (*run)(const Options&, const Shared&);
};

}  // namespace

Action add_runs(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.require_subcommand(1);
  const auto verb = [&](const char* name, const char* summary) {
    CLI::App* child = command.add_subcommand(name, summary)->fallthrough();
    add_db_option(*child, options->db);
    return child;
  };
  CLI::App* list_verb = verb("list", "Stored runs, newest first");
  list_verb->add_option("--model", options->filter.model, "Only this model");
  list_verb->add_option("--recipe", options->filter.recipe, "Only this recipe");
  list_verb->add_option("--status", options->filter.status, "done, failed, cancelled or refused");
  list_verb->add_option("--limit", options->filter.limit, "At most so many")->check(CLI::Range(1, 1 << 30));
  CLI::App* show_verb = verb("show", "Everything about one run");
  show_verb->add_option("RUN", options->ids, "Run: id, the beginning of an id, last, last~1")->required()->expected(1);
  CLI::App* delete_verb = verb("delete", "Delete runs with their samples");
  delete_verb->add_option("RUN", options->ids, "Runs to delete")->required();
  CLI::App* export_verb = verb("export", "Runs with samples, timelines and per-token results");
  export_verb->add_option("RUN", options->ids, "Runs (default: the last bench)");
  export_verb->add_option("--format", options->format, "json, or csv (samples and metrics only)")->check(CLI::IsMember({"json", "csv"}));
  export_verb->add_option("--out", options->out, "File to write (default: stdout)");
  CLI::App* import_verb = verb("import", "Runs of another machine, or of llama-bench; importing twice changes nothing");
  import_verb->add_option("FILE", options->in, "Made by phiscope runs export, or by llama-bench -o json|jsonl|csv")->required();
  CLI::App* history_verb = verb("history", "One metric over versions and time, each run against the one before it");
  history_verb->add_option("METRIC", options->metric, "For example decode_tokens_per_s@64 or kld_mean")->required();
  history_verb->add_option("--model", options->filter.model, "Only this model");
  history_verb->add_option("--recipe", options->filter.recipe, "Only this recipe");
  history_verb->add_option("--backend", options->filter.backend, "Only this backend");
  history_verb->add_option("--limit", options->filter.limit, "Only the newest runs")->check(CLI::Range(1, 1 << 30));
  CLI::App* recompute_verb = verb("recompute", "Compute metrics again from the stored samples");
  recompute_verb->add_option("RUN", options->ids, "Runs (default: all)");
  const std::vector<Verb> verbs{{list_verb, &list}, {show_verb, &show}, {delete_verb, &remove}, {export_verb, &export_stored},
                               {import_verb, &import_file}, {history_verb, &history}, {recompute_verb, &recompute}};
  return [options, verbs, &shared]() -> Result<int> {
    for (const Verb& row : verbs)
      if (row.command->parsed()) return row.run(*options, shared);
    return kExitUsage;
  };
}

}  // namespace phiscope::cli
