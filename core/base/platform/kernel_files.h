#pragma once
// Small files that the kernel writes (/proc, /sys): what is missing or odd is empty or 0.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phiscope::platform {

/// Whole content, empty when it cannot be read.
std::string kernel_text(const std::filesystem::path& path);
/// First line, trimmed.
std::string kernel_line(const std::filesystem::path& path);
std::optional<uint64_t> kernel_number(const std::filesystem::path& path);
/// Number after "<key>" in a text of "key value" lines ("VmRSS:   123 kB"); 0 when absent. The unit is the caller's to know.
uint64_t number_after(std::string_view text, std::string_view key);
/// Text after "<key>" and its separator (spaces, tabs, ':' or '=') up to the end of the line.
std::string text_after(std::string_view text, std::string_view key);
/// "0-3,8" -> {0, 1, 2, 3, 8}.
std::vector<int> parse_cpu_list(std::string_view text);
/// Entries of a folder whose names are `prefix` and digits, sorted by the number; empty when the folder is missing.
std::vector<std::filesystem::path> numbered_entries(const std::filesystem::path& folder, std::string_view prefix);

/// Limits of the control group that this process lives in, of either version; the tightest on the way up to the root.
struct CgroupLimits {
  double cpu_quota = 0;              // CPUs, 0 = no limit
  uint64_t memory_limit_bytes = 0;   // 0 = no limit
  uint64_t memory_left_bytes = 0;    // of that limit, page cache counted as free; meaningful only with a limit
};
/// `root` holds proc/self/cgroup and sys/fs/cgroup: "/" on a real machine.
CgroupLimits cgroup_limits(const std::filesystem::path& root = "/");

}  // namespace phiscope::platform
