// Version 2 keeps all controllers in one tree (cpu.max, memory.max); version 1 has a tree per controller (cpu.cfs_quota_us,
// memory.limit_in_bytes). In a container the path of /proc/self/cgroup may lie outside of what is mounted: folders that do not exist are
// passed over, and the mount's root is always looked at.

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/platform/kernel_files.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

/// No machine has as much; version 1 writes 2^63 rounded to pages for "no limit".
constexpr uint64_t kUnlimitedBytes = uint64_t{1} << 60;

struct Group {
  bool is_version_2 = false;
  bool has_cpu = false, has_memory = false;
  fs::path mount;
  std::string path;
};

bool has_word(const std::string& list, std::string_view word) {
  const std::vector<std::string> words = split(list, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Lines "hierarchy:controllers:path" of /proc/self/cgroup.
std::vector<Group> read_groups(const fs::path& root) {
  std::vector<Group> groups;
  const fs::path tree = root / "sys/fs/cgroup";
  for (const std::string& line : split(kernel_text(root / "proc/self/cgroup"), '\n')) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    Group group;
    group.path = line.substr(second + 1);
    group.is_version_2 = controllers.empty();
    group.has_cpu = group.is_version_2 || has_word(controllers, "cpu");
    group.has_memory = group.is_version_2 || has_word(controllers, "memory");
    group.mount = group.is_version_2 ? tree : tree / controllers;
    if (group.has_cpu || group.has_memory) groups.push_back(std::move(group));
  }
  return groups;
}

/// From the group itself up to the mount's root.
std::vector<fs::path> folders_upwards(const Group& group) {
  std::vector<fs::path> folders;
  for (fs::path part = fs::path(group.path).relative_path(); !part.empty(); part = part.parent_path()) folders.push_back(group.mount / part);
  folders.push_back(group.mount);
  return folders;
}

double cpu_quota(const fs::path& folder, bool is_version_2) {
  double quota_us = 0, period_us = 0;
  if (is_version_2) {  // "150000 100000" or "max 100000"
    const std::vector<std::string> words = split(kernel_line(folder / "cpu.max"), ' ');
    if (words.size() != 2 || words[0] == "max") return 0;
    quota_us = static_cast<double>(number_after(words[0], ""));
    period_us = static_cast<double>(number_after(words[1], ""));
  } else {  // "-1" is no limit and no number here
    quota_us = static_cast<double>(kernel_number(folder / "cpu.cfs_quota_us").value_or(0));
    period_us = static_cast<double>(kernel_number(folder / "cpu.cfs_period_us").value_or(0));
  }
  return period_us > 0 ? quota_us / period_us : 0;
}

void apply_memory(const fs::path& folder, bool is_version_2, CgroupLimits& limits) {
  const auto limit = kernel_number(folder / (is_version_2 ? "memory.max" : "memory.limit_in_bytes"));
  if (!limit || *limit >= kUnlimitedBytes) return;
  const uint64_t used = kernel_number(folder / (is_version_2 ? "memory.current" : "memory.usage_in_bytes")).value_or(0);
  const std::string facts = kernel_text(folder / "memory.stat");
  const uint64_t cache = is_version_2 ? number_after(facts, "inactive_file ") + number_after(facts, "active_file ")
                                      : number_after(facts, "total_inactive_file ") + number_after(facts, "total_active_file ");
  const uint64_t held = used - std::min(used, cache);
  const uint64_t left = *limit - std::min(*limit, held);
  const bool is_first = limits.memory_limit_bytes == 0;
  limits.memory_limit_bytes = is_first ? *limit : std::min(limits.memory_limit_bytes, *limit);
  limits.memory_left_bytes = is_first ? left : std::min(limits.memory_left_bytes, left);
}

}  // namespace

CgroupLimits cgroup_limits(const fs::path& root) {
  CgroupLimits limits;
  for (const Group& group : read_groups(root)) {
    for (const fs::path& folder : folders_upwards(group)) {
      if (group.has_memory) apply_memory(folder, group.is_version_2, limits);
      const double quota = group.has_cpu ? cpu_quota(folder, group.is_version_2) : 0;
      if (quota > 0) limits.cpu_quota = limits.cpu_quota > 0 ? std::min(limits.cpu_quota, quota) : quota;
    }
  }
  return limits;
}

}  // namespace phiscope::platform
