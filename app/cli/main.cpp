// phiscope: the command line. Parses, calls app/session and core, prints. No logic of its own.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "core/base/log.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/base/version.h"

namespace phiscope::cli {
namespace {

constexpr const char* kDescription =
    "What does each bit cost, and what does it buy, on this device? Phiscope quantizes Microsoft Phi models and measures\n"
    "accuracy, latency and memory of every precision.";
constexpr const char* kFooter =
    "A MODEL is a Hugging Face folder, a Phiscope artifact, bundled:tiny-phi, or synthetic:NAME.\n"
    "Start with:  phiscope bench bundled:tiny-phi --recipe fp32,int8,int4\n"
    "Help for one command:  phiscope COMMAND --help";

void send_log_to_stderr(const Shared& shared) {
  log::set_sink([&shared](log::Level level, std::string_view message) {
    if (level == log::Level::warning && !shared.quiet) print_note(fmt::format("warning: {}", message));
    if (level != log::Level::warning && shared.verbose) print_note(message);
  });
}

int report_error(const Error& error) {
  if (error.code == ErrorCode::cancelled) {
    print_note(error.message.empty() ? "cancelled" : error.message);
    return kExitCancelled;
  }
  print_error(error.message);
  return kExitFailed;
}

/// An unknown command gets its nearest name; the rest of the sentence is CLI11's.
int report_usage(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::string hint;
  if (!arguments.empty() && app.get_subcommands().empty()) {
    std::vector<std::string> names;
    for (const CommandRow& row : command_table()) names.emplace_back(row.name);
    const std::string nearest = nearest_name(arguments.front(), names);
    if (arguments.front().rfind('-', 0) != 0)
      hint = nearest.empty() ? fmt::format("there is no command '{}'", arguments.front())
                             : fmt::format("there is no command '{}'; did you mean '{}'?", arguments.front(), nearest);
  }
  print_error(fmt::format("{}; see phiscope {}--help", hint.empty() ? std::string(error.what()) : hint,
                          app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " "));
  return kExitUsage;
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "phiscope");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("phiscope ") + kVersion);
  Shared shared;
  Action chosen;
  for (const CommandRow& row : command_table()) {
    CLI::App* command = app.add_subcommand(row.name, row.summary);
    command->footer(std::string("Example:  ") + row.example);
    const Action action = row.add(*command, shared);
    command->add_flag("--json", shared.json, "One JSON document on stdout, nothing else there");
    command->add_flag("--quiet", shared.quiet, "No progress and no notes on stderr");
    command->add_flag("--verbose", shared.verbose, "More about what is going on, on stderr");
    command->final_callback([&chosen, action] { chosen = action; });
  }
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    print(app.help());
    return kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, arguments);
  }
  send_log_to_stderr(shared);
  install_interrupt_handler();
  const Result<int> status = chosen();
  return status ? *status : report_error(status.error());
}

}  // namespace
}  // namespace phiscope::cli

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "worker") return phiscope::cli::become_worker(argc, argv);
  try {
    return phiscope::cli::run(argc, argv);
  } catch (const std::exception& error) {
    phiscope::cli::print_error(fmt::format("internal error: {}", error.what()));
    return phiscope::cli::kExitFailed;
  }
}
