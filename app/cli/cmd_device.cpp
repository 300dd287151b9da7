#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/null_test_command.h"
#include "app/cli/output.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::cli {
namespace {

struct Options {
  std::string backend;
  int threads = 0;
};

Result<int> probe(const Options& options, const Shared& shared) {
  ProgressLine line(shared.quiet);
  const session::CallOptions call = call_options(line);
  PHISCOPE_ASSIGN(const auto backends, session::list_backends(call));
  PHISCOPE_ASSIGN(const auto results, session::probe_device(options.backend, options.threads, call));
  line.clear();
  Json document;
  document["schema"] = "phiscope/device/1";
  document["machine"] = Json::object();
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : platform::describe_machine()) {
    document["machine"][key] = value;
    rows.push_back({key, value});
  }
  document["backends"] = Json::array();
  for (const auto& backend : backends) {
    document["backends"].push_back(
        {{"name", backend.name}, {"description", backend.description}, {"available", backend.available.ok}, {"reason", backend.available.reason}});
    rows.push_back({fmt::format("backend {}", backend.name), backend.available.ok ? backend.description : fmt::format("not available: {}", backend.available.reason)});
  }
  document["probe"] = Json::array();
  for (const auto& result : results)
    for (const ProbeValue& value : result.values) {
      document["probe"].push_back({{"backend", result.backend}, {"id", value.id}, {"value", value.value}, {"unit", value.unit}});
      rows.push_back({fmt::format("{} {}", result.backend, value.id), fmt::format("{} {}", format_number(value.value), value.unit)});
    }
  if (shared.json)
    print_json(document);
  else
    print(format_rows(rows));
  return kExitDone;
}

}  // namespace

Action add_device(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.require_subcommand(1);
  CLI::App* probe_command = command.add_subcommand("probe", "Memory bandwidth, arithmetic rates, what each backend supports")->fallthrough();
  add_backend_option(*probe_command, options->backend);
  add_threads_option(*probe_command, options->threads);
  CLI::App* null_command = nullptr;
  const Action null_test = add_null_test(command, shared, null_command);
  return [options, null_command, null_test, &shared] { return null_command->parsed() ? null_test() : probe(*options, shared); };
}

}  // namespace phiscope::cli
