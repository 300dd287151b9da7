#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "core/base/platform/disturbance.h"
#include "core/base/platform/platform.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// $HOME, else the account's folder, else the working folder.
fs::path home_folder() {
  if (const std::string home = variable("HOME"); !home.empty()) return home;
  std::vector<char> buffer(16384);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_dir;
  return ".";
}

/// The XDG base directory specification ignores relative values.
fs::path xdg_folder(const char* name, const char* fallback_in_home) {
  const fs::path chosen = variable(name);
  return (chosen.is_absolute() ? chosen : home_folder() / fallback_in_home) / "phiscope";
}

}  // namespace

fs::path executable_path() {
  std::error_code error;
  std::string path = fs::read_symlink("/proc/self/exe", error).string();
  // A program that was rebuilt while it runs; the new file at the same place is the best answer.
  static constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

fs::path user_data_folder() { return xdg_folder("XDG_DATA_HOME", ".local/share"); }
fs::path user_config_folder() { return xdg_folder("XDG_CONFIG_HOME", ".config"); }

fs::path machine_lock_folder() {
  if (const std::string chosen = variable("PHISCOPE_LOCKS"); !chosen.empty()) return chosen;
  static constexpr const char* kShared = "/run/lock";
  if (access(kShared, W_OK | X_OK) == 0) return kShared;
  std::error_code error;
  fs::path folder = fs::temp_directory_path(error);
  return error ? user_cache_folder() : folder;
}

fs::path user_cache_folder() {
  if (const std::string chosen = variable("PHISCOPE_CACHE"); !chosen.empty()) return chosen;
  return xdg_folder("XDG_CACHE_HOME", ".cache");
}

}  // namespace phiscope::platform
