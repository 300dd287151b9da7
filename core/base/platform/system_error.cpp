#include "core/base/platform/system_error.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "core/base/text.h"

namespace phiscope::platform {
namespace {

std::string full_disk_hint(const std::filesystem::path& path, uint64_t wanted_bytes) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  struct statvfs disk {};
  std::string hint;
  if (::statvfs(folder.c_str(), &disk) == 0)
    hint = fmt::format(" ({} left in {})", format_bytes(uint64_t{disk.f_bavail} * disk.f_frsize), folder.string());
  if (wanted_bytes > 0) return hint + fmt::format("; free at least {} there and repeat", format_bytes(wanted_bytes));
  return hint + "; free some space there and repeat";
}

}  // namespace

std::string error_text(int error_number) { return std::generic_category().message(error_number); }

Error system_error(const std::filesystem::path& path, std::string_view action, int error_number, uint64_t wanted_bytes) {
  std::string message = fmt::format("{}: cannot {}: {}", path.string(), action, error_text(error_number));
  if (error_number == ENOSPC || error_number == EDQUOT) message += full_disk_hint(path, wanted_bytes);
  const bool is_missing = error_number == ENOENT || error_number == ENOTDIR;
  return Error{is_missing ? ErrorCode::not_found : ErrorCode::io, std::move(message)};
}

}  // namespace phiscope::platform
