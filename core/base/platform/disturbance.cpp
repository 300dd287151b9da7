#include <unistd.h>

#include <algorithm>
#include <string>

#include "core/base/platform/disturbance.h"
#include "core/base/platform/kernel_files.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

uint64_t nanoseconds_per_tick() {
  static const long ticks = std::max(sysconf(_SC_CLK_TCK), 1L);
  return uint64_t{1000000000} / static_cast<uint64_t>(ticks);
}

std::vector<uint64_t> numbers(const std::string& line) {
  std::vector<uint64_t> values;
  for (const std::string& word : split(line, ' '))
    if (!word.empty()) values.push_back(number_after(word, ""));
  return values;
}

/// Each thread's schedstat: time on a CPU, time waiting for one (nanoseconds), time slices.
void read_threads(const fs::path& process, DisturbanceCounters& counters) {
  for (const fs::path& thread : numbered_entries(process / "task", "")) {
    const std::vector<uint64_t> times = numbers(kernel_line(thread / "schedstat"));
    if (times.size() >= 2) {
      counters.has_waited = true;
      counters.cpu_ns += times[0];
      counters.waited_ns += times[1];
    }
    counters.involuntary_switches += number_after(kernel_text(thread / "status"), "nonvoluntary_ctxt_switches:");
  }
}

}  // namespace

DisturbanceCounters disturbance_counters(int process_id, const fs::path& root) {
  DisturbanceCounters counters;
  read_threads(root / "proc" / (process_id == 0 ? std::string("self") : std::to_string(process_id)), counters);
  // user nice system idle iowait irq softirq steal
  const std::vector<uint64_t> ticks = numbers(text_after(kernel_text(root / "proc/stat"), "cpu "));
  if (ticks.size() >= 8) {
    counters.busy_ns = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) * nanoseconds_per_tick();
    counters.steal_ns = ticks[7] * nanoseconds_per_tick();
  }
  double sum_mhz = 0;
  int count = 0;
  for (const fs::path& cpu : numbered_entries(root / "sys/devices/system/cpu", "cpu")) {
    counters.throttle_events += kernel_number(cpu / "thermal_throttle/core_throttle_count").value_or(0);
    if (const auto khz = kernel_number(cpu / "cpufreq/scaling_cur_freq")) {
      sum_mhz += static_cast<double>(*khz) / 1000;
      ++count;
    }
  }
  if (count > 0) counters.frequency_mhz = sum_mhz / count;
  uint64_t hottest = 0;
  for (const fs::path& zone : numbered_entries(root / "sys/class/thermal", "thermal_zone"))
    hottest = std::max(hottest, kernel_number(zone / "temp").value_or(0));
  counters.temperature_c = static_cast<double>(hottest) / 1000;
  return counters;
}

}  // namespace phiscope::platform
