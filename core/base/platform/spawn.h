#pragma once
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/platform/descriptor.h"
#include "core/base/result.h"

namespace phiscope::platform {

/// A started program and our ends of its three pipes, all non-blocking and close-on-exec.
struct SpawnedChild {
  pid_t process_id = 0;
  Descriptor in, out, err;
};

/// Runs arguments[0] (a path) in a process group of its own: Ctrl-C reaches us, and we decide what becomes of the child. It inherits no
/// descriptor but the three pipes, and is killed when this process dies. Errors: not_found or io when the program cannot be run.
Result<SpawnedChild> spawn(const std::vector<std::string>& arguments, const std::vector<std::pair<std::string, std::string>>& environment);

}  // namespace phiscope::platform
