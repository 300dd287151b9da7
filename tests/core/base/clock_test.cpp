#include "core/base/clock.h"

#include <gtest/gtest.h>

namespace phiscope {
namespace {

TEST(Clock, NeverGoesBack) {
  int64_t last = monotonic_ns();
  for (int i = 0; i < 1000; ++i) {
    const int64_t now = system_clock().now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(IsoTime, WritesKnownMoments) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso_time(1772368496789), "2026-03-01T12:34:56.789Z");
  EXPECT_EQ(iso_time(951782399999), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(iso_time(951782400000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59.999Z");
}

TEST(UnixMs, IsAfterThisTestWasWritten) { EXPECT_GT(unix_ms(), 1'700'000'000'000); }

}  // namespace
}  // namespace phiscope
