#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"

namespace phiscope::cli {
namespace {

/// Nothing is rounded that the file does not round: a cache of FP16 alone moves the logits of a small model by 2e-3.
constexpr std::string_view kExactRecipe = "source:kv=fp32";

/// An empty word would be read as id 0.
std::string is_id(const std::string& word) { return word.empty() ? "an id is missing; write 1,2,3" : ""; }

}  // namespace

Action add_logits(CLI::App& command, const Shared& shared) {
  auto request = std::make_shared<session::LogitsRequest>();
  add_target_options(command, request->target);
  command.get_option("--recipe")->description(fmt::format("Precision: see phiscope recipe list (default: {}, nothing rounded)", kExactRecipe));
  command.add_option("--ids", request->ids, "Token ids, separated by commas")->required()->delimiter(',')->type_name("ID,ID...")->check(is_id);
  command.add_option("--out", request->out, "safetensors file to write: 'logits', f32 [positions, vocabulary]")->required()->type_name("PATH");
  return [request, &shared]() -> Result<int> {
    if (request->target.recipe.empty()) request->target.recipe = kExactRecipe;
    ProgressLine line(shared.quiet);
    PHISCOPE_ASSIGN(const session::LogitsResult result, session::write_logits(*request, call_options(line)));
    line.clear();
    print_notices(result.report, shared);
    if (shared.json)
      print_json({{"schema", "phiscope/logits/1"}, {"path", request->out.string()}, {"positions", result.positions}, {"vocab", result.vocab},
                  {"ran", to_json(result.report)}});
    else
      print(fmt::format("wrote {}: logits of {} positions x {} ids", request->out.string(), result.positions, result.vocab));
    return kExitDone;
  };
}

}  // namespace phiscope::cli
