#include "core/base/platform/kernel_files.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using namespace platform;
namespace fs = std::filesystem;

TEST(KernelText, FindsKeysOnlyAtTheStartOfALine) {
  const std::string text = "VmRSS:\t  12 kB\nNotVmHWM: 5\nVmHWM:\t34 kB\nmodel name\t: A B\n";
  EXPECT_EQ(number_after(text, "VmRSS:"), 12u);
  EXPECT_EQ(number_after(text, "VmHWM:"), 34u);
  EXPECT_EQ(number_after(text, "none:"), 0u);
  EXPECT_EQ(text_after(text, "model name"), "A B");
}

TEST(ParseCpuList, ReadsRangesAndSingles) {
  EXPECT_EQ(parse_cpu_list("0-2,8\n"), (std::vector<int>{0, 1, 2, 8}));
  EXPECT_TRUE(parse_cpu_list("").empty());
}

TEST(NumberedEntries, SortsByNumberAndSkipsTheRest) {
  const test::TemporaryFolder folder;
  for (const char* name : {"cpu10", "cpu2", "cpufreq", "cpu", "node0"}) fs::create_directory(folder / name);
  const auto entries = numbered_entries(folder.path(), "cpu");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].filename(), "cpu2");
  EXPECT_EQ(entries[1].filename(), "cpu10");
  EXPECT_TRUE(numbered_entries(folder / "none", "cpu").empty());
}

/// A made-up root file system.
class Cgroup : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    ASSERT_TRUE(write_file(folder_ / path, text));
  }
  CgroupLimits limits() { return cgroup_limits(folder_.path()); }

  test::TemporaryFolder folder_;
};

TEST_F(Cgroup, HasNoLimitsWithoutCgroups) {
  EXPECT_EQ(limits().cpu_quota, 0);
  EXPECT_EQ(limits().memory_limit_bytes, 0u);
}

TEST_F(Cgroup, ReadsVersion2AndCountsPageCacheAsFree) {
  put("proc/self/cgroup", "0::/user/app\n");
  put("sys/fs/cgroup/user/app/cpu.max", "150000 100000\n");
  put("sys/fs/cgroup/user/app/memory.max", "1000000\n");
  put("sys/fs/cgroup/user/app/memory.current", "700000\n");
  put("sys/fs/cgroup/user/app/memory.stat", "anon 300000\ninactive_file 250000\nactive_file 150000\n");
  EXPECT_DOUBLE_EQ(limits().cpu_quota, 1.5);
  EXPECT_EQ(limits().memory_limit_bytes, 1'000'000u);
  EXPECT_EQ(limits().memory_left_bytes, 700'000u);
}

TEST_F(Cgroup, TakesTheTightestLimitOnTheWayUp) {
  put("proc/self/cgroup", "0::/user/app\n");
  put("sys/fs/cgroup/user/app/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/user/app/memory.max", "max\n");
  put("sys/fs/cgroup/user/cpu.max", "400000 100000\n");
  put("sys/fs/cgroup/user/memory.max", "5000\n");
  put("sys/fs/cgroup/user/memory.current", "6000\n");
  EXPECT_DOUBLE_EQ(limits().cpu_quota, 4);
  EXPECT_EQ(limits().memory_limit_bytes, 5000u);
  EXPECT_EQ(limits().memory_left_bytes, 0u);
}

TEST_F(Cgroup, ReadsVersion1AlsoWhenThePathIsOutsideTheContainer) {
  put("proc/self/cgroup", "4:memory:/outside/x\n2:cpu,cpuacct:/outside/x\n0::/\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
  put("sys/fs/cgroup/memory/memory.usage_in_bytes", "96\n");
  EXPECT_DOUBLE_EQ(limits().cpu_quota, 2);
  EXPECT_EQ(limits().memory_left_bytes, 4000u);
}

TEST_F(Cgroup, UnderstandsNoLimitOfVersion1) {
  put("proc/self/cgroup", "4:memory:/\n2:cpu:/\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limits().cpu_quota, 0);
  EXPECT_EQ(limits().memory_limit_bytes, 0u);
}

}  // namespace
}  // namespace phiscope
