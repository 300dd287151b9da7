#pragma once
// `phiscope device null-test`.

#include "app/cli/command.h"

namespace phiscope::cli {

/// Adds the subcommand; the action is to be run when it was parsed.
Action add_null_test(CLI::App& device, const Shared& shared, CLI::App*& command);

}  // namespace phiscope::cli
