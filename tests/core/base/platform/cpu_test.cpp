#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "core/base/platform/kernel_files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope {
namespace {

using namespace platform;

TEST(CpuInfo, CountsAreConsistent) {
  const CpuInfo& info = cpu_info();
  EXPECT_GE(info.usable_cores, 1);
  EXPECT_LE(info.usable_cores, info.physical_cores);
  EXPECT_LE(info.physical_cores, info.logical_cores);
  EXPECT_EQ(info.core_ids.size(), static_cast<size_t>(info.usable_cores));
  EXPECT_FALSE(info.model.empty());
}

// The kernel's own list; it leaves out what it does not save.
TEST(CpuInfo, FeaturesAgreeWithTheKernel) {
  const std::string flags = " " + text_after(kernel_text("/proc/cpuinfo"), "flags") + " ";
  if (flags == "  ") GTEST_SKIP() << "no x86 flags in /proc/cpuinfo";
  const auto kernel_has = [&](std::string_view name) { return flags.find(" " + std::string(name) + " ") != std::string::npos; };
  const std::pair<CpuFeature, const char*> pairs[] = {{kCpuAvx2, "avx2"},           {kCpuFma, "fma"},
                                                      {kCpuF16c, "f16c"},           {kCpuAvxVnni, "avx_vnni"},
                                                      {kCpuAvx512Vnni, "avx512_vnni"}, {kCpuAvx512Bf16, "avx512_bf16"},
                                                      {kCpuAvx512Fp16, "avx512_fp16"}, {kCpuAvx512Vbmi, "avx512vbmi"},
                                                      {kCpuAmxInt8, "amx_int8"},    {kCpuAmxBf16, "amx_bf16"}};
  for (const auto& [feature, name] : pairs) EXPECT_EQ((cpu_info().features & feature) != 0, kernel_has(name)) << name;
  EXPECT_EQ((cpu_info().features & kCpuAvx512) != 0,
            kernel_has("avx512f") && kernel_has("avx512bw") && kernel_has("avx512dq") && kernel_has("avx512vl"));
}

TEST(CpuFeatureNames, AreListedInOrder) {
  EXPECT_EQ(cpu_feature_names(kCpuF16c | kCpuAvx2 | kCpuAmxBf16), "avx2 f16c amx_bf16");
  EXPECT_EQ(cpu_feature_names(0), "");
}

TEST(PinThisThread, KeepsTheThreadOnItsCpu) {
  const int cpu = cpu_info().core_ids.back();
  int seen = -1;
  std::thread([&] {
    if (pin_this_thread(cpu)) seen = sched_getcpu();
  }).join();
  EXPECT_EQ(seen, cpu);
}

TEST(PinThisThread, RefusesCpusThatDoNotExist) {
  EXPECT_FALSE(pin_this_thread(-1));
  std::thread([] { EXPECT_FALSE(pin_this_thread(60'000)); }).join();
}

}  // namespace
}  // namespace phiscope
