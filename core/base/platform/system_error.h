#pragma once
// Sentences for what the operating system refuses.

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/base/result.h"

namespace phiscope::platform {

/// "<path>: cannot <action>: <reason>", from errno. A full disk is named with the space left and what to free; a missing path is not_found.
/// `wanted_bytes` = size of the refused write, 0 when it was none.
Error system_error(const std::filesystem::path& path, std::string_view action, int error_number, uint64_t wanted_bytes = 0);

/// The operating system's name of an error, thread-safe.
std::string error_text(int error_number);

}  // namespace phiscope::platform
