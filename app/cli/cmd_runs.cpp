#include <fmt/format.h>

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/run_json.h"
#include "app/session/stored_runs.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/bench/catalogue.h"

namespace phiscope::cli {
namespace {

struct Options {
  RunFilter filter;
  std::vector<std::string> ids;
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
  PHISCOPE_ASSIGN(const Json document, read_json_file(options.in));
  PHISCOPE_ASSIGN(const auto runs, session::import_runs(document, options.in.string()));
  PHISCOPE_ASSIGN(const auto store, session::open_store(options.db));
  for (const Run& run : runs) PHISCOPE_TRY(store->save(run));
  if (shared.json)
    print_json({{"schema", "phiscope/runs/1"}, {"imported", runs.size()}});
  else
    print(fmt::format("imported {} runs", runs.size()));
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
  CLI::App* import_verb = verb("import", "Runs that another machine exported; importing twice changes nothing");
  import_verb->add_option("FILE", options->in, "JSON made by phiscope runs export")->required();
  CLI::App* recompute_verb = verb("recompute", "Compute metrics again from the stored samples");
  recompute_verb->add_option("RUN", options->ids, "Runs (default: all)");
  const std::vector<Verb> verbs{{list_verb, &list}, {show_verb, &show}, {delete_verb, &remove}, {export_verb, &export_stored},
                               {import_verb, &import_file}, {recompute_verb, &recompute}};
  return [options, verbs, &shared]() -> Result<int> {
    for (const Verb& row : verbs)
      if (row.command->parsed()) return row.run(*options, shared);
    return kExitUsage;
  };
}

}  // namespace phiscope::cli
