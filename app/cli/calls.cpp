#include "app/cli/calls.h"

#include <fmt/format.h>

#include "app/cli/interrupt.h"
#include "core/base/log.h"

namespace phiscope::cli {

void add_target_options(CLI::App& command, session::Target& target, bool with_recipe) {
  command.add_option("MODEL", target.model, "Hugging Face folder, artifact, bundled:NAME or synthetic:NAME")->required();
  if (with_recipe)
    command.add_option("--recipe", target.recipe, "Precision: see phiscope recipe list (default: source)")->type_name("RECIPE");
  add_backend_option(command, target.backend);
  add_threads_option(command, target.threads);
}

session::CallOptions call_options(ProgressLine& line) {
  session::CallOptions options;
  options.progress = [&line](double fraction, std::string_view what) { line.update(fraction, what); };
  options.cancel = &interrupt_token();
  options.on_log = [](std::string_view text) { log::info("worker: {}", text); };
  return options;
}

Json to_json(const session::TargetReport& report) {
  const Effective& effective = report.effective;
  return {{"backend", report.backend},
          {"recipe", report.recipe},
          {"model_hash", report.model_hash},
          {"artifact_hash", report.artifact_hash},
          {"effective",
           {{"instruction_set", effective.instruction_set},
            {"weights", effective.weights},
            {"activations", effective.activations},
            {"accumulate", effective.accumulate},
            {"kv", effective.kv},
            {"threads", effective.threads},
            {"notes", effective.notes}}},
          {"notices", report.notices}};
}

void print_notices(const session::TargetReport& report, const Shared& shared) {
  if (shared.quiet) return;
  for (const std::string& notice : report.notices) print_note(fmt::format("note: {}", notice));
  if (!shared.verbose) return;
  const Effective& effective = report.effective;
  print_note(fmt::format("ran on {} ({}, {} threads): weights {}; activations {}; accumulated in {}; KV {}", report.backend,
                         effective.instruction_set, effective.threads, effective.weights, effective.activations, effective.accumulate, effective.kv));
}

}  // namespace phiscope::cli
