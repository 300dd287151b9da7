#pragma once
// One benchmark at a time on a machine: two would slow each other down and measure that.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/platform/platform.h"
#include "core/base/result.h"
#include "core/job/cancel.h"

namespace phiscope::session {

/// The same for every user and program of this machine.
std::filesystem::path measuring_lock_path();

/// Waits until nobody else measures. `what` says what this process measures, for others that wait; `on_notice` hears once who holds the lock.
/// Errors: cancelled; io.
Result<std::unique_ptr<platform::FileLock>> take_measuring_lock(const std::string& what, const std::function<void(std::string_view)>& on_notice,
                                                                const CancelToken* cancel);

}  // namespace phiscope::session
