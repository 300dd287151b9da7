#pragma once
// What the machine did to a process between two moments.

#include <cstdint>
#include <filesystem>

namespace phiscope::platform {

/// What can spoil a timing of a process; counters grow, so two reads around a block tell. Cheap: no frequency of a machine that must be asked
/// core by core through /proc/cpuinfo.
struct DisturbanceCounters {
  bool has_waited = false;             // the kernel accounts run queues (CONFIG_SCHED_INFO)
  uint64_t waited_ns = 0;              // the process's threads were ready to run but had no CPU, summed over threads
  uint64_t cpu_ns = 0;                 // they ran
  uint64_t involuntary_switches = 0;   // of all threads
  uint64_t steal_ns = 0, busy_ns = 0;  // of the machine; resolution 10 ms
  uint64_t throttle_events = 0;        // of all cores, thermal
  double frequency_mhz = 0;            // 0 = unknown
  double temperature_c = 0;            // 0 = unknown
};
/// `process_id` 0 = this process. `root` holds proc and sys: "/" on a real machine.
DisturbanceCounters disturbance_counters(int process_id, const std::filesystem::path& root = "/");

/// Share of a file's pages that the page cache holds, 0..1; -1 = unknown or empty.
double page_cache_share(const std::filesystem::path& path);

/// Where all users and programs of this machine meet: $PHISCOPE_LOCKS, /run/lock, or the system's temporary folder.
std::filesystem::path machine_lock_folder();

}  // namespace phiscope::platform
