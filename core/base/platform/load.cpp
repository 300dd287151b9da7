#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "core/base/platform/kernel_files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

double to_double(std::string_view text) {
  text = trim(text);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Fields of the "cpu" line: user nice system idle iowait irq softirq steal (guest time is inside user).
void read_ticks(SystemLoad& load) {
  uint64_t ticks[8] = {};
  size_t field = 0;
  for (const std::string& word : split(text_after(kernel_text("/proc/stat"), "cpu "), ' ')) {
    if (word.empty() || field == std::size(ticks)) continue;
    ticks[field++] = number_after(word, "");
  }
  load.busy_ticks = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
  load.idle_ticks = ticks[3] + ticks[4];
  load.steal_ticks = ticks[7];
}

double mean_frequency_mhz() {
  double sum = 0;
  int count = 0;
  for (const fs::path& cpu : numbered_entries("/sys/devices/system/cpu", "cpu")) {
    if (const auto khz = kernel_number(cpu / "cpufreq/scaling_cur_freq")) {
      sum += static_cast<double>(*khz) / 1000;
      ++count;
    }
  }
  if (count > 0) return sum / count;
  for (const std::string& line : split(kernel_text("/proc/cpuinfo"), '\n')) {  // virtual machines have only this
    if (!line.starts_with("cpu MHz")) continue;
    sum += to_double(text_after(line, "cpu MHz"));
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

/// Thermal zones; where there are none, the processor's own sensors.
double hottest_celsius() {
  uint64_t hottest_millidegrees = 0;
  for (const fs::path& zone : numbered_entries("/sys/class/thermal", "thermal_zone"))
    hottest_millidegrees = std::max(hottest_millidegrees, kernel_number(zone / "temp").value_or(0));
  if (hottest_millidegrees > 0) return static_cast<double>(hottest_millidegrees) / 1000;
  for (const fs::path& sensor : numbered_entries("/sys/class/hwmon", "hwmon")) {
    const std::string name = kernel_line(sensor / "name");
    if (name != "coretemp" && name != "k10temp" && name != "zenpower" && name != "cpu_thermal") continue;
    hottest_millidegrees = std::max(hottest_millidegrees, kernel_number(sensor / "temp1_input").value_or(0));
  }
  return static_cast<double>(hottest_millidegrees) / 1000;
}

}  // namespace

SystemLoad system_load() {
  SystemLoad load;
  const std::string averages = kernel_line("/proc/loadavg");
  load.load_average_1min = to_double(std::string_view(averages).substr(0, averages.find(' ')));
  read_ticks(load);
  struct rusage usage {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) load.involuntary_switches = static_cast<uint64_t>(usage.ru_nivcsw);
  load.frequency_mhz = mean_frequency_mhz();
  load.temperature_c = hottest_celsius();
  return load;
}

}  // namespace phiscope::platform
