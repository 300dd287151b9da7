#pragma once
// What every command that asks a worker needs: the target's options, and progress, Ctrl-C and log wired to the terminal.

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/commands.h"

namespace phiscope::cli {

/// MODEL, --recipe, --backend, --threads.
void add_target_options(CLI::App& command, session::Target& target, bool with_recipe = true);

/// Progress goes to `line` (kept alive by the caller), Ctrl-C cancels, worker diagnostics go to the log.
session::CallOptions call_options(ProgressLine& line);

/// "cpu (avx2), int4 g32; activations f32": for notes and JSON.
Json to_json(const session::TargetReport& report);
void print_notices(const session::TargetReport& report, const Shared& shared);

}  // namespace phiscope::cli
