#pragma once
// Time. Measurements take a Clock so that tests can set it.

#include <cstdint>
#include <string>

namespace phiscope {

/// Monotonic nanoseconds. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_ns() = 0;
};

/// CLOCK_MONOTONIC.
Clock& system_clock();
/// Same, without an object.
int64_t monotonic_ns();
/// Wall time as milliseconds since 1970 UTC.
int64_t unix_ms();
/// "2026-03-01T12:34:56.789Z".
std::string iso_time(int64_t unix_milliseconds);

}  // namespace phiscope
