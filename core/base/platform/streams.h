#pragma once
#include <filesystem>
#include <string_view>

#include "core/base/result.h"

namespace phiscope::platform {

/// One write to a file that must exist already, such as a switch of the kernel.
Status write_existing_file(const std::filesystem::path& path, std::string_view text);

/// Keeps SIGPIPE away from the calling thread while it lives, also one that a write of this thread raised: the write says EPIPE instead.
/// Other threads and the program's own handler are left alone.
class SigpipeGuard {
 public:
  SigpipeGuard();
  ~SigpipeGuard();
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  bool was_pending_ = false;
  bool was_blocked_ = false;
};

}  // namespace phiscope::platform
