#pragma once
// Whether something else got in the way of a measured block. Counters in, a sentence part out.

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/platform/disturbance.h"

namespace phiscope::bench {

/// The counters at one moment.
struct Conditions {
  int64_t time_ns = 0;
  platform::DisturbanceCounters counters;
};
/// Read before and after each block of one engine; empty = unknown, then nothing counts as disturbed.
using ReadConditions = std::function<Conditions()>;
/// Of a process (0 = this one) on this machine, now.
Conditions read_conditions(int process_id);

/// One engine's blocks. Remembers the highest clock that it saw. Not thread-safe.
class DisturbanceJudge {
 public:
  /// Empty for an undisturbed block, else the mark of its samples: "waited 3.1 %", "steal 4 %", "other load 60 %", "throttled",
  /// "clock -30 %". The bounds are half of what matters for a timing (2 %), where the counters are fine enough to see it.
  std::string judge(const Conditions& before, const Conditions& after);

 private:
  double highest_mhz_ = 0;
};

}  // namespace phiscope::bench
