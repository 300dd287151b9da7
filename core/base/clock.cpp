#include "core/base/clock.h"

#include <fmt/format.h>

#include <chrono>

namespace phiscope {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t now_ns() override { return monotonic_ns(); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

// std::chrono::steady_clock is CLOCK_MONOTONIC in libstdc++ and libc++ on Linux.
int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string iso_time(int64_t unix_milliseconds) {
  using namespace std::chrono;
  const sys_time<milliseconds> moment{milliseconds{unix_milliseconds}};
  const auto day = floor<days>(moment);
  const year_month_day date{day};
  const hh_mm_ss<milliseconds> time{moment - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

}  // namespace phiscope
