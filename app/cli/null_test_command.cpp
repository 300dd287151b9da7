#include "app/cli/null_test_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/cli/calls.h"
#include "app/cli/output.h"
#include "app/session/null_test.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/stats/summary.h"

namespace phiscope::cli {
namespace {

using session::NullTestResult;
using session::VerdictTally;

double median_pairs(const VerdictTally& tally) {
  const std::vector<double> pairs(tally.pairs.begin(), tally.pairs.end());
  return stats::median(pairs);
}

Json to_json(const VerdictTally& tally, bool with_blocks) {
  Json json = {{"trials", tally.trials}, {"same", tally.same}, {"better", tally.better}, {"worse", tally.worse}, {"unclear", tally.unclear},
               {"pairs_median", median_pairs(tally)}, {"ratio_p2_5", stats::quantile(tally.ratios, 0.025)},
               {"ratio_p97_5", stats::quantile(tally.ratios, 0.975)}, {"repeated", tally.repeated}, {"kept_disturbed", tally.kept_disturbed}};
  if (with_blocks) json["block_seconds"] = tally.block_seconds;
  return json;
}

std::vector<std::string> row(const std::string& what, const VerdictTally& tally) {
  const auto pairs = std::minmax_element(tally.pairs.begin(), tally.pairs.end());
  return {what, std::to_string(tally.same), std::to_string(tally.worse), std::to_string(tally.better), std::to_string(tally.unclear),
          fmt::format("{:.0f} ({} .. {})", median_pairs(tally), *pairs.first, *pairs.second),
          fmt::format("{:.4f} .. {:.4f}", stats::quantile(tally.ratios, 0.025), stats::quantile(tally.ratios, 0.975)),
          fmt::format("{} + {}", tally.repeated, tally.kept_disturbed)};
}

void print_text(const NullTestResult& result, const session::NullTestRequest& request) {
  print(format_rows({{"pair", "same", "worse", "better", "unclear", "pairs a trial", "95 % of the ratios", "disturbed: repeated + kept"},
                     row(fmt::format("{} in {} against itself", request.target.model, result.report.recipe), result.itself),
                     row(fmt::format("stub engine against one {:.1f} % slower", 100 * request.slowdown), result.slower)}));
  print(fmt::format("decode of {} tokens on {} ({}, {} threads), {}; the bar: same 95 times in 100, the slowdown found 9 times in 10: {}",
                    result.settings.tokens, result.report.backend, result.report.effective.instruction_set, result.report.effective.threads,
                    platform::cpu_info().model, result.passed() ? "passed" : "NOT passed"));
}

Result<int> run(const session::NullTestRequest& request, bool with_blocks, const Shared& shared) {
  ProgressLine line(shared.quiet);
  const session::CallOptions call = call_options(line);
  const auto notice = [&](std::string_view sentence) {
    line.clear();
    if (!shared.quiet) print_note(sentence);
  };
  PHISCOPE_ASSIGN(const NullTestResult result, session::run_null_test(request, notice, call));
  line.clear();
  if (shared.json)
    print_json({{"schema", "phiscope/null-test/1"}, {"passed", result.passed()}, {"device", platform::cpu_info().model},
                {"model", request.target.model}, {"recipe", result.report.recipe}, {"backend", result.report.backend},
                {"tokens", result.settings.tokens}, {"slowdown", request.slowdown}, {"itself", to_json(result.itself, with_blocks)},
                {"slower", to_json(result.slower, with_blocks)}});
  else
    print_text(result, request);
  return result.passed() ? kExitDone : kExitFailed;
}

}  // namespace

Action add_null_test(CLI::App& device, const Shared& shared, CLI::App*& command) {
  auto request = std::make_shared<session::NullTestRequest>();
  auto with_blocks = std::make_shared<bool>(false);
  request->target.model = "bundled:tiny-phi";
  request->target.recipe = "int4";
  command = device.add_subcommand("null-test", "Are verdicts true here: the same artifact against itself, and a known slowdown")->fallthrough();
  command->add_option("MODEL", request->target.model, "Model to measure against itself")->capture_default_str();
  command->add_option("--recipe", request->target.recipe, "Precision")->capture_default_str();
  command->add_option("--trials", request->trials, "Comparisons of the artifact with itself")->capture_default_str()->check(CLI::Range(1, 100000));
  command->add_option("--slow-trials", request->slow_trials, "Comparisons with the slower stub")->capture_default_str()->check(CLI::Range(1, 100000));
  command->add_option("--slowdown", request->slowdown, "How much slower the stub is")->capture_default_str()->check(CLI::Range(0.0, 10.0));
  command->add_flag("--blocks", *with_blocks, "With --json: the time of every block, as recorded noise");
  add_backend_option(*command, request->target.backend);
  add_threads_option(*command, request->target.threads);
  return [request, with_blocks, &shared] { return run(*request, *with_blocks, shared); };
}

}  // namespace phiscope::cli
