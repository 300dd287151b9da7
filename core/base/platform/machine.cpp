#include <sys/utsname.h>

#include <set>

#include "core/base/platform/kernel_files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

std::string unquoted(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

std::string kernel_version() {
  struct utsname name {};
  if (uname(&name) != 0) return {};
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

/// One value, or "several: a, b" where the CPUs differ.
std::string governors() {
  std::set<std::string> names;
  for (const fs::path& cpu : numbered_entries("/sys/devices/system/cpu", "cpu")) {
    std::string name = kernel_line(cpu / "cpufreq/scaling_governor");
    if (!name.empty()) names.insert(std::move(name));
  }
  if (names.size() < 2) return names.empty() ? std::string() : *names.begin();
  return fmt::format("several: {}", fmt::join(names, ", "));
}

std::string boost() {
  if (const auto no_turbo = kernel_number("/sys/devices/system/cpu/intel_pstate/no_turbo")) return *no_turbo == 0 ? "on" : "off";
  if (const auto boost = kernel_number("/sys/devices/system/cpu/cpufreq/boost")) return *boost != 0 ? "on" : "off";
  return {};
}

/// "always [madvise] never" -> "madvise".
std::string chosen_word(const std::string& choices) {
  const size_t open = choices.find('['), close = choices.find(']');
  return open == std::string::npos || close == std::string::npos || close < open ? std::string() : choices.substr(open + 1, close - open - 1);
}

std::string virtual_machine(const std::string& cpu_facts) {
  const std::string flags = " " + text_after(cpu_facts, "flags") + " ";
  if (flags.find(" hypervisor ") == std::string::npos) return {};
  const std::string product = kernel_line("/sys/class/dmi/id/product_name");
  return product.empty() ? "yes" : product;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_machine() {
  const CpuInfo& cpu = cpu_info();
  const SystemMemory memory = system_memory();
  const CgroupLimits limits = cgroup_limits();
  const std::string cpu_facts = kernel_text("/proc/cpuinfo");
  const auto bytes_or_empty = [](uint64_t bytes) { return bytes == 0 ? std::string() : std::to_string(bytes); };

  // To add a fact: a row. Keys stay as they are, since runs are stored with them.
  std::vector<std::pair<std::string, std::string>> facts = {
      {"os", unquoted(text_after(kernel_text("/etc/os-release"), "PRETTY_NAME"))},
      {"kernel", kernel_version()},
      {"cpu", cpu.model},
      {"cpu_features", cpu_feature_names(cpu.features)},
      {"cpu_logical_cores", std::to_string(cpu.logical_cores)},
      {"cpu_physical_cores", std::to_string(cpu.physical_cores)},
      {"cpu_usable_cores", std::to_string(cpu.usable_cores)},
      {"cpu_quota", limits.cpu_quota > 0 ? format_number(limits.cpu_quota) : std::string()},
      {"cpu_l1d_bytes", bytes_or_empty(cpu.l1d_bytes)},
      {"cpu_l2_bytes", bytes_or_empty(cpu.l2_bytes)},
      {"cpu_l3_bytes", bytes_or_empty(cpu.l3_bytes)},
      {"microcode", text_after(cpu_facts, "microcode")},
      {"governor", governors()},
      {"boost", boost()},
      {"memory_bytes", bytes_or_empty(memory.total)},
      {"memory_limit_bytes", bytes_or_empty(limits.memory_limit_bytes)},
      {"huge_pages", chosen_word(kernel_line("/sys/kernel/mm/transparent_hugepage/enabled"))},
      {"numa_nodes", bytes_or_empty(numbered_entries("/sys/devices/system/node", "node").size())},
      {"virtual_machine", virtual_machine(cpu_facts)},
  };
  std::erase_if(facts, [](const auto& fact) { return fact.second.empty(); });
  return facts;
}

}  // namespace phiscope::platform
