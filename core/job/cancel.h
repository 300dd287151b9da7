#pragma once
#include <atomic>

namespace phiscope {

/// Shared between the one who may stop a job and the job. Thread- and signal-safe.
class CancelToken {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  /// For a token that serves one job after another.
  void reset() { cancelled_.store(false, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace phiscope
