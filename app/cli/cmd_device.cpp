#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/null_test_command.h"
#include "app/cli/output.h"
#include "app/session/device_profiles.h"
#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/device/formats.h"

namespace phiscope::cli {
namespace {

using device::ComputeUnit;
using device::DeviceProfile;

struct Options {
  std::string backend, profile;
  int threads = 0;
  std::filesystem::path out;
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
  const bool is_whole = options.backend.empty() || options.backend == "cpu";
  if (is_whole && !results.empty()) {
    PHISCOPE_ASSIGN(const DeviceProfile profile, session::measure_this_machine(results));
    if (!options.out.empty()) PHISCOPE_TRY(write_file(options.out, device::profile_text(profile)));
    document["profile"] = options.out.empty() ? (session::own_devices_folder() / "this-machine.toml").string() : options.out.string();
    rows.push_back({"profile", fmt::format("{}, used by phiscope advise", document["profile"].get<std::string>())});
  }
  if (shared.json)
    print_json(document);
  else
    print(format_rows(rows));
  return kExitDone;
}

Json figure(double value) { return value > 0 ? Json(value) : Json(); }

Json profile_json(const DeviceProfile& profile) {
  Json units = Json::array();
  for (const ComputeUnit& unit : profile.units) {
    Json rates = Json::array();
    for (const device::Rate& rate : unit.rates)
      rates.push_back({{"type", rate.type}, {"giga_operations_per_s", rate.giga_operations_s}, {"source", rate.source}});
    units.push_back({{"kind", unit_kind_name(unit.kind)}, {"name", unit.name}, {"engines", unit.engines},
                     {"memory_bytes", figure(static_cast<double>(profile.memory_of(unit)))}, {"bandwidth_gb_s", figure(profile.bandwidth_of(unit))},
                     {"source", profile.bandwidth_source(unit)}, {"rates", rates}});
  }
  return {{"id", profile.id}, {"name", profile.name}, {"class", profile.device_class}, {"measured", profile.is_measured}, {"note", profile.note}, {"units", units}};
}

std::string number_or_dash(double value, const char* unit) { return value > 0 ? fmt::format("{}{}", format_number(value), unit) : "-"; }

Result<int> list(const Shared& shared) {
  PHISCOPE_ASSIGN(const auto profiles, session::list_devices());
  Json rows = Json::array();
  std::vector<std::vector<std::string>> table{{"PROFILE", "DEVICE", "CLASS", "MEMORY", "GB/S", "UNITS"}};
  for (const DeviceProfile& profile : profiles) {
    rows.push_back(profile_json(profile));
    const ComputeUnit& main = profile.units.front();
    std::string units;
    for (const ComputeUnit& unit : profile.units) units += (units.empty() ? "" : ", ") + std::string(unit_kind_name(unit.kind));
    const uint64_t memory = profile.memory_of(main);
    table.push_back({profile.id, profile.name, profile.device_class, memory > 0 ? format_bytes(memory) : "-", number_or_dash(profile.bandwidth_of(main), ""), units});
  }
  if (shared.json)
    print_json({{"schema", "phiscope/device-list/1"}, {"profiles", rows}});
  else
    print(format_rows(table));
  return kExitDone;
}

Result<int> show(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const DeviceProfile profile, session::find_device(options.profile));
  if (shared.json) {
    Json document{{"schema", "phiscope/device-show/1"}};
    document.update(profile_json(profile));
    print_json(document);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows{{profile.name, fmt::format("profile {}, class {}", profile.id, profile.device_class)}};
  if (!profile.note.empty()) rows.push_back({"note", profile.note});
  for (const ComputeUnit& unit : profile.units) {
    const std::string kind(unit_kind_name(unit.kind));
    rows.push_back({kind, unit.name});
    const uint64_t memory = profile.memory_of(unit);
    rows.push_back({"  memory", memory > 0 ? fmt::format("{}, {} for the model", format_bytes(memory), format_bytes(memory - std::min(memory, profile.reserve_of(unit)))) : "not stated"});
    rows.push_back({"  bandwidth", profile.bandwidth_of(unit) > 0 ? number_or_dash(profile.bandwidth_of(unit), " GB/s") : "not stated"});
    if (!profile.bandwidth_source(unit).empty()) rows.push_back({"    source", profile.bandwidth_source(unit)});
    for (const device::Rate& rate : unit.rates) rows.push_back({"  " + rate.type, fmt::format("{} Top/s", format_number(rate.giga_operations_s / 1000))});
    if (!unit.rates.empty()) rows.push_back({"    source", unit.rates.front().source});
    rows.push_back({"  engines", fmt::format("{}", fmt::join(unit.engines, ", "))});
    std::string formats;
    for (const device::DeployFormat& format : device::deploy_formats())
      if (device::runs_on(format, unit)) formats += (formats.empty() ? "" : ", ") + std::string(format.name);
    rows.push_back({"  formats", formats});
  }
  print(format_rows(rows));
  return kExitDone;
}

}  // namespace

Action add_device(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.require_subcommand(1);
  CLI::App* probe_command = command.add_subcommand("probe", "Memory bandwidth, arithmetic rates, what each backend supports; keeps the profile for advise")->fallthrough();
  add_backend_option(*probe_command, options->backend);
  add_threads_option(*probe_command, options->threads);
  probe_command->add_option("--out", options->out, "Write the profile here as well, to describe this machine elsewhere")->type_name("FILE.toml");
  CLI::App* list_command = command.add_subcommand("list", "All device profiles")->fallthrough();
  CLI::App* show_command = command.add_subcommand("show", "One profile with the source of every figure, its engines and formats")->fallthrough();
  show_command->add_option("PROFILE", options->profile, "Profile of phiscope device list, or a .toml file")->required();
  CLI::App* null_command = nullptr;
  const Action null_test = add_null_test(command, shared, null_command);
  return [options, list_command, show_command, null_command, null_test, &shared]() -> Result<int> {
    if (list_command->parsed()) return list(shared);
    if (show_command->parsed()) return show(*options, shared);
    return null_command->parsed() ? null_test() : probe(*options, shared);
  };
}

}  // namespace phiscope::cli
