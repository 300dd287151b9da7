#include "core/bench/disturbance.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/clock.h"

namespace phiscope::bench {
namespace {

constexpr double kWaitedShare = 0.01;       // of the block: half of the smallest effect that matters
constexpr uint64_t kWaitedFloorNs = 200'000;  // waking threads up costs some microseconds each, also on a silent machine
constexpr double kStealShare = 0.02;        // of all cores' time; the counter moves in steps of 10 ms
constexpr double kOtherLoadShare = 0.25;    // of one core
constexpr uint64_t kTickNs = 10'000'000;
constexpr double kLeastClock = 0.75;        // nvbench's throttle guard
constexpr uint64_t kSwitchesPerSecond = 50; // where the kernel does not account waiting

double share(uint64_t part_ns, int64_t whole_ns) { return static_cast<double>(part_ns) / static_cast<double>(whole_ns); }

uint64_t grown(uint64_t before, uint64_t after) { return after > before ? after - before : 0; }

}  // namespace

Conditions read_conditions(int process_id) {
  Conditions conditions;
  conditions.counters = platform::disturbance_counters(process_id);
  conditions.time_ns = monotonic_ns();
  return conditions;
}

std::string DisturbanceJudge::judge(const Conditions& before, const Conditions& after) {
  const platform::DisturbanceCounters &a = before.counters, &b = after.counters;
  const int64_t wall_ns = after.time_ns - before.time_ns;
  if (wall_ns <= 0) return {};
  highest_mhz_ = std::max({highest_mhz_, a.frequency_mhz, b.frequency_mhz});
  const uint64_t waited = grown(a.waited_ns, b.waited_ns);
  if (b.has_waited && waited > kWaitedFloorNs && share(waited, wall_ns) > kWaitedShare)
    return fmt::format("waited {:.1f} %", 100 * share(waited, wall_ns));
  const uint64_t switches = grown(a.involuntary_switches, b.involuntary_switches);
  if (!b.has_waited && switches > 2 && share(switches * 1'000'000'000, wall_ns) > static_cast<double>(kSwitchesPerSecond))
    return fmt::format("switched out {} times", switches);
  const uint64_t steal = grown(a.steal_ns, b.steal_ns);
  if (steal >= 2 * kTickNs && share(steal, wall_ns) > kStealShare) return fmt::format("steal {:.0f} %", 100 * share(steal, wall_ns));
  // Busy time that is not the engine's, in steps of 10 ms a core: only long blocks can tell.
  const uint64_t busy = grown(a.busy_ns, b.busy_ns), own = grown(a.cpu_ns, b.cpu_ns);
  const uint64_t other = busy > own ? busy - own : 0;
  if (b.has_waited && other > 5 * kTickNs && share(other, wall_ns) > kOtherLoadShare)
    return fmt::format("other load {:.0f} %", 100 * share(other, wall_ns));
  if (b.throttle_events > a.throttle_events) return "throttled";
  const double clock = std::max(a.frequency_mhz, b.frequency_mhz);
  if (clock > 0 && clock < kLeastClock * highest_mhz_) return fmt::format("clock -{:.0f} %", 100 * (1 - clock / highest_mhz_));
  return {};
}

}  // namespace phiscope::bench
