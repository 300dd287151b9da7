#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"

namespace phiscope::cli {

Action add_logits(CLI::App& command, const Shared& shared) {
  auto request = std::make_shared<session::LogitsRequest>();
  add_target_options(command, request->target);
  command.add_option("--ids", request->ids, "Token ids, separated by commas")->required()->delimiter(',')->type_name("ID,ID...");
  command.add_option("--out", request->out, "safetensors file to write: 'logits', f32 [positions, vocabulary]")->required()->type_name("PATH");
  return [request, &shared]() -> Result<int> {
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
