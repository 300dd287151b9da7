#pragma once
// A command of the program: a row in command_table.cpp and a file cmd_<name>.cpp.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "core/base/result.h"

namespace phiscope::cli {

/// Options that every command understands.
struct Shared {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};

/// Exit statuses that scripts rely on.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFound = 3;       // compare --fail-on found what it was told to fail on
inline constexpr int kExitCancelled = 130;

/// Runs after parsing; the value is the exit status.
using Action = std::function<Result<int>()>;

struct CommandRow {
  const char* name;
  const char* summary;
  const char* example;                                  // shown at the end of --help
  Action (*add)(CLI::App& command, const Shared& shared);  // declares the options and returns what to run
};

/// In the order shown by --help.
std::span<const CommandRow> command_table();

// One per cmd_<name>.cpp.
Action add_inspect(CLI::App& command, const Shared& shared);
Action add_tokenize(CLI::App& command, const Shared& shared);
Action add_generate(CLI::App& command, const Shared& shared);
Action add_logits(CLI::App& command, const Shared& shared);
Action add_perplexity(CLI::App& command, const Shared& shared);
Action add_quantize(CLI::App& command, const Shared& shared);
Action add_recipe(CLI::App& command, const Shared& shared);
Action add_bench(CLI::App& command, const Shared& shared);
Action add_compare(CLI::App& command, const Shared& shared);
Action add_tokens(CLI::App& command, const Shared& shared);
Action add_report(CLI::App& command, const Shared& shared);
Action add_advise(CLI::App& command, const Shared& shared);
Action add_device(CLI::App& command, const Shared& shared);
Action add_runs(CLI::App& command, const Shared& shared);
Action add_cache(CLI::App& command, const Shared& shared);
Action add_doctor(CLI::App& command, const Shared& shared);

/// `--db PATH`; empty = the default (PHISCOPE_DB or the user data folder).
void add_db_option(CLI::App& command, std::filesystem::path& db);
/// `--backend NAME`, `--threads N`.
void add_backend_option(CLI::App& command, std::string& backend);
void add_threads_option(CLI::App& command, int& threads);

}  // namespace phiscope::cli
