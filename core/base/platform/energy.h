#pragma once
// Joules, where the machine counts them.

#include <filesystem>
#include <memory>
#include <string>

#include "core/base/result.h"

namespace phiscope::platform {

/// What counts joules: RAPL here, a GPU's own counter in its backend. Not thread-safe.
class EnergyMeter {
 public:
  virtual ~EnergyMeter() = default;
  /// "rapl package-0, dram".
  virtual const std::string& source() const = 0;
  /// Joules since it was opened. Error io when a counter is gone.
  virtual Result<double> joules() = 0;
};
/// The package (and DRAM) counters of the Linux powercap tree, added up; a counter that begins again is noticed when it is read at least once
/// a turn (minutes). Errors: unsupported with the reason (no counters, readable by root only). `root` holds sys: "/" on a real machine.
Result<std::unique_ptr<EnergyMeter>> open_rapl(const std::filesystem::path& root = "/");

}  // namespace phiscope::platform
