#include <gmock/gmock.h>

#include "core/base/files.h"
#include "core/base/platform/disturbance.h"
#include "core/base/platform/energy.h"
#include "tests/support/fixtures.h"

namespace phiscope::platform {
namespace {

using testing::HasSubstr;

/// A powercap tree as Linux shows it.
class Powercap {
 public:
  std::filesystem::path root() const { return folder_.path(); }
  void set(const std::string& zone, const std::string& name, const std::string& energy_uj, const std::string& range_uj) {
    const std::filesystem::path folder = folder_ / "sys/class/powercap" / zone;
    std::filesystem::create_directories(folder);
    for (const auto& [file, text] : {std::pair{"name", name}, {"energy_uj", energy_uj}, {"max_energy_range_uj", range_uj}})
      EXPECT_TRUE(write_file(folder / file, text + "\n").has_value());
  }

 private:
  test::TemporaryFolder folder_;
};

TEST(Rapl, AddsPackagesAndDramButNothingTwice) {
  Powercap tree;
  tree.set("intel-rapl:0", "package-0", "1000000", "262143328850");
  tree.set("intel-rapl:0:0", "core", "500000", "262143328850");    // part of the package
  tree.set("intel-rapl:0:1", "dram", "200000", "65712999613");
  tree.set("intel-rapl:1", "psys", "9000000", "262143328850");     // the board: holds all of it
  tree.set("dtpm", "other", "5", "10");
  auto meter = open_rapl(tree.root());
  ASSERT_TRUE(meter.has_value()) << meter.error().message;
  EXPECT_EQ((*meter)->source(), "rapl package-0, dram");
  EXPECT_EQ((*meter)->joules().value(), 0);
  tree.set("intel-rapl:0", "package-0", "3500000", "262143328850");
  tree.set("intel-rapl:0:0", "core", "2500000", "262143328850");
  tree.set("intel-rapl:0:1", "dram", "700000", "65712999613");
  EXPECT_DOUBLE_EQ((*meter)->joules().value(), 2.5 + 0.5);
}

TEST(Rapl, ACounterThatBeginsAgainIsFollowed) {
  Powercap tree;
  tree.set("intel-rapl:0", "package-0", "9500000", "10000000");
  auto meter = open_rapl(tree.root());
  ASSERT_TRUE(meter.has_value());
  tree.set("intel-rapl:0", "package-0", "250000", "10000000");  // 0.5 J to the end, then 0.25 J
  EXPECT_DOUBLE_EQ((*meter)->joules().value(), 0.75);
  tree.set("intel-rapl:0", "package-0", "1250000", "10000000");
  EXPECT_DOUBLE_EQ((*meter)->joules().value(), 1.75);
}

TEST(Rapl, WhereThereIsNoneTheReasonIsSaid) {
  const test::TemporaryFolder empty;
  const auto none = open_rapl(empty.path());
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("no energy counters"));
  Powercap tree;
  tree.set("intel-rapl:0", "package-0", "", "1");  // what cannot be read looks like this
  const auto forbidden = open_rapl(tree.root());
  ASSERT_FALSE(forbidden.has_value());
  EXPECT_THAT(forbidden.error().message, HasSubstr("by root only"));
}

TEST(Rapl, ACounterThatGoesAwayIsAnError) {
  Powercap tree;
  tree.set("intel-rapl:0", "package-0", "1", "10");
  auto meter = open_rapl(tree.root());
  ASSERT_TRUE(meter.has_value());
  std::filesystem::remove_all(tree.root() / "sys");
  EXPECT_EQ((*meter)->joules().error().code, ErrorCode::io);
}

TEST(DisturbanceCounters, ComeFromTheKernelsFiles) {
  const test::TemporaryFolder root;
  const auto put = [&](const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories((root / file).parent_path());
    EXPECT_TRUE(write_file(root / file, text).has_value());
  };
  put("proc/77/task/77/schedstat", "5000 700 3\n");
  put("proc/77/task/78/schedstat", "6000 50 2\n");
  put("proc/77/task/77/status", "Name:\tx\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t4\n");
  put("proc/77/task/78/status", "nonvoluntary_ctxt_switches:\t3\n");
  put("proc/stat", "cpu  10 1 2 1000 5 3 4 6 0 0\ncpu0 1 1 1 1\n");
  put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "2\n");
  put("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "1\n");
  put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000\n");
  put("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3000000\n");
  put("sys/class/thermal/thermal_zone0/temp", "61500\n");
  const DisturbanceCounters counters = disturbance_counters(77, root.path());
  EXPECT_TRUE(counters.has_waited);
  EXPECT_EQ(counters.cpu_ns, 11000u);
  EXPECT_EQ(counters.waited_ns, 750u);
  EXPECT_EQ(counters.involuntary_switches, 7u);
  EXPECT_EQ(counters.busy_ns, 20u * 10'000'000u);  // user, nice, system, irq, softirq at 100 ticks a second
  EXPECT_EQ(counters.steal_ns, 6u * 10'000'000u);
  EXPECT_EQ(counters.throttle_events, 3u);
  EXPECT_EQ(counters.frequency_mhz, 2500);
  EXPECT_EQ(counters.temperature_c, 61.5);
}

TEST(PageCache, AFileThatWasJustWrittenIsInMemory) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "data", std::string(100000, 'x')).has_value());
  EXPECT_EQ(page_cache_share(folder / "data"), 1);
  EXPECT_EQ(page_cache_share(folder / "missing"), -1);
}

}  // namespace
}  // namespace phiscope::platform
