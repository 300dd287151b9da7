#pragma once
// Resident memory of a worker over time, read by the parent so that the worker is not disturbed.

#include <atomic>
#include <mutex>
#include <thread>

#include "core/record/record.h"

namespace phiscope::session {

/// Samples every 20 ms on its own thread from construction to stop().
class MemorySampler {
 public:
  /// `begin_ns`: monotonic, where the time axis begins.
  MemorySampler(int process_id, int64_t begin_ns);
  ~MemorySampler();
  MemorySampler(const MemorySampler&) = delete;
  MemorySampler& operator=(const MemorySampler&) = delete;

  /// Ends sampling. Kind "memory_timeline": time_ns since `begin_ns`, resident_bytes, anonymous_bytes, file_backed_bytes.
  Series stop();

 private:
  void loop(int process_id, int64_t begin_ns);

  std::atomic<bool> stopped_{false};
  Series series_;
  std::thread thread_;
};

}  // namespace phiscope::session
