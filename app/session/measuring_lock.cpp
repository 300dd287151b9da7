#include "app/session/measuring_lock.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "core/base/clock.h"
#include "core/base/platform/disturbance.h"

namespace phiscope::session {
namespace {

constexpr auto kGap = std::chrono::milliseconds(200);

}  // namespace

std::filesystem::path measuring_lock_path() { return platform::machine_lock_folder() / "phiscope-measuring.lock"; }

Result<std::unique_ptr<platform::FileLock>> take_measuring_lock(const std::string& what, const std::function<void(std::string_view)>& on_notice,
                                                                const CancelToken* cancel) {
  const std::filesystem::path path = measuring_lock_path();
  const std::string holder = fmt::format("{} since {}", what, iso_time(unix_ms()));
  for (bool is_told = false;; std::this_thread::sleep_for(kGap)) {
    auto held = platform::FileLock::try_lock(path, holder);
    if (held || held.error().code != ErrorCode::busy) return held;
    if (!is_told && on_notice) on_notice("waiting for another benchmark on this machine: " + held.error().message);
    is_told = true;
    if (cancel != nullptr && cancel->cancelled()) return fail(ErrorCode::cancelled, "stopped while another benchmark was running");
  }
}

}  // namespace phiscope::session
