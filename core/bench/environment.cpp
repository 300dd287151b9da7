#include "core/bench/environment.h"

#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::bench {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "gcc " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

std::map<std::string, std::string> probe_environment() {
  std::map<std::string, std::string> facts;
  for (auto& [key, value] : platform::describe_machine()) facts[key] = value;
  const platform::CpuInfo& cpu = platform::cpu_info();
  facts["cpu"] = cpu.model;
  facts["cpu.features"] = platform::cpu_feature_names(cpu.features);
  facts["cpu.physical_cores"] = std::to_string(cpu.physical_cores);
  facts["cpu.usable_cores"] = std::to_string(cpu.usable_cores);
  facts["memory.total_bytes"] = std::to_string(platform::system_memory().total);
  facts["build.compiler"] = compiler();
#ifdef NDEBUG
  facts["build.type"] = "release";
#else
  facts["build.type"] = "debug";
#endif
  return facts;
}

void add_load(std::map<std::string, std::string>& environment, const std::string& when) {
  const platform::SystemLoad load = platform::system_load();
  environment["load." + when + ".average_1min"] = format_number(load.load_average_1min, 3);
  environment["load." + when + ".steal_ticks"] = std::to_string(load.steal_ticks);
  if (load.frequency_mhz > 0) environment["load." + when + ".frequency_mhz"] = format_number(load.frequency_mhz, 4);
  if (load.temperature_c > 0) environment["load." + when + ".temperature_c"] = format_number(load.temperature_c, 3);
}

}  // namespace phiscope::bench
