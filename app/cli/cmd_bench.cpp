#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/cli/command.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/session/bench.h"
#include "app/session/run_json.h"
#include "app/session/stored_runs.h"
#include "core/base/log.h"

namespace phiscope::cli {
namespace {

session::BenchEvents terminal_events(ProgressLine& line, const Shared& shared) {
  session::BenchEvents events;
  events.on_progress = [&line](const session::BenchProgress& progress) {
    line.update(progress.fraction, fmt::format("{}/{} {} on {}: {}", progress.run + 1, progress.runs, progress.recipe, progress.backend, progress.what));
  };
  events.on_run_finished = [&line](const Run& run) {
    if (run.status == RunStatus::done) return;
    line.clear();  // why it did not run is no note: --quiet keeps it
    print_note(fmt::format("{} on {} {}: {}", run.recipe, run.backend, run_status_name(run.status), run.reason));
  };
  events.on_notice = [&line, &shared](std::string_view sentence) {
    if (shared.quiet) return;
    line.clear();
    print_note(sentence);
  };
  events.on_log = [](std::string_view text) { log::info("worker: {}", text); };
  return events;
}

/// One line for all noisy timings, one for each other warning with the recipes that it concerns.
void print_warnings(const std::vector<Run>& runs) {
  std::vector<std::pair<std::string, std::vector<std::string>>> sentences;
  size_t noisy = 0, timings = 0;
  for (const Run& run : runs) {
    if (run.status != RunStatus::done) continue;  // nothing of it was measured, or not all
    timings += static_cast<size_t>(std::count_if(run.environment.begin(), run.environment.end(),
                                                 [](const auto& entry) { return entry.first.starts_with("stop."); }));
    for (const Warning& warning : run.warnings) {
      if (warning.id == "noisy") {
        ++noisy;
        continue;
      }
      const std::string sentence = warning.sentence + (warning.remedy.empty() ? "" : "; " + warning.remedy);
      auto found = std::find_if(sentences.begin(), sentences.end(), [&](const auto& row) { return row.first == sentence; });
      if (found == sentences.end()) found = sentences.insert(sentences.end(), {sentence, {}});
      found->second.push_back(run.recipe);
    }
  }
  for (const auto& [sentence, recipes] : sentences) print_note(fmt::format("note: {}: {}", fmt::join(recipes, ", "), sentence));
  if (noisy > 0)
    print_note(fmt::format("note: {} of {} timings varied by more than 5 % between repetitions (phiscope runs show RUN lists them); close other "
                           "programs and run again for narrower intervals",
                           noisy, timings));
}

// Memory is sampled from the start: alone it is nothing to compare.
bool has_metrics(const Run& run) {
  return std::any_of(run.metrics.begin(), run.metrics.end(), [&](const Metric& metric) {
    const MetricInfo* info = run.find_info(metric.id);
    return metric.value.has_value() && (info == nullptr || info->group != "memory");
  });
}

Result<int> run(const session::BenchRequest& request, const Shared& shared) {
  ProgressLine line(shared.quiet);
  PHISCOPE_ASSIGN(const session::BenchResult result, session::run_bench(request, terminal_events(line, shared), &interrupt_token()));
  line.clear();
  if (shared.json) {
    print_json({{"schema", "phiscope/bench/1"}, {"runs", session::runs_to_json(result.runs)}});
  } else if (std::any_of(result.runs.begin(), result.runs.end(), has_metrics)) {
    print(format_precisions(session::compare_with_default_reference(result.runs)));
    if (!shared.quiet) {
      print_warnings(result.runs);
      print_note("Details: phiscope compare    Report: phiscope report --format html --out report.html");
    }
  }
  if (result.store_error) return fail(*result.store_error);  // after the table: what was measured is not lost
  if (result.cancelled) return kExitCancelled;
  return result.all_done() ? kExitDone : kExitFailed;
}

}  // namespace

Action add_bench(CLI::App& command, const Shared& shared) {
  auto request = std::make_shared<session::BenchRequest>();
  auto interleave = std::make_shared<bool>(false);
  auto no_interleave = std::make_shared<bool>(false);
  command.add_option("MODEL", request->models, "One or more models")->required();
  command.add_option("--recipe", request->recipes, "Precisions, separated by commas, or a .toml file")->capture_default_str()->type_name("R,R");
  command.add_option("--backend", request->backends, "Backends, separated by commas (default: the best available)")->delimiter(',')->type_name("B,B");
  command.add_option("--suite", request->suite, "quick, standard, full, tasks (nothing but --task), or a .toml file")->capture_default_str();
  command.add_option("--task", request->task_files, "Questions in a published form, FILE:FORMAT or FILE:FORMAT:SHOTS_FILE (see datasets/tasks/README.md)")
      ->type_name("F:F")
      ->allow_extra_args(false);
  add_threads_option(command, request->threads);
  CLI::Option* turns = command.add_flag("--interleave", *interleave, "Measure the precisions in turns, A B B A (default when memory allows)");
  command.add_flag("--no-interleave", *no_interleave, "Measure one precision after the other")->excludes(turns);
  add_db_option(command, request->database);
  return [request, interleave, no_interleave, &shared] {
    if (*interleave || *no_interleave) request->interleave = *interleave;
    return run(*request, shared);
  };
}

}  // namespace phiscope::cli
