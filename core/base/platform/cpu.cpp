#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <set>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/base/platform/kernel_files.h"
#include "core/base/platform/platform.h"
#include "core/base/platform/system_error.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCpuFolder = "/sys/devices/system/cpu";

struct FeatureName {
  CpuFeature feature;
  std::string_view name;
};

// To add a feature: an enumerator in platform.h, its row here and its bit in read_features().
constexpr FeatureName kFeatureNames[] = {
    {kCpuAvx2, "avx2"},
    {kCpuFma, "fma"},
    {kCpuF16c, "f16c"},
    {kCpuAvxVnni, "avx_vnni"},
    {kCpuAvx512, "avx512"},
    {kCpuAvx512Vnni, "avx512_vnni"},
    {kCpuAvx512Bf16, "avx512_bf16"},
    {kCpuAvx512Fp16, "avx512_fp16"},
    {kCpuAvx512Vbmi, "avx512_vbmi"},
    {kCpuAmxInt8, "amx_int8"},
    {kCpuAmxBf16, "amx_bf16"},
};

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// Zeroes for leaves that the processor does not have.
Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

constexpr bool bit(unsigned value, unsigned index) { return (value >> index & 1u) != 0; }

/// XCR0: which registers the operating system saves on a context switch.
uint64_t saved_registers() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

/// Tile registers are 8 KiB of state that Linux saves only for processes that asked (Documentation/arch/x86/xstate.rst). It refuses where a
/// seccomp filter does, or a thread's signal stack is too small.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// Bit positions: Intel SDM volume 2A, CPUID; the same on AMD.
uint32_t read_features() {
  const Registers basic = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1);
  if (!bit(basic.ecx, 27)) return 0;  // OSXSAVE: without it xgetbv is an illegal instruction
  const uint64_t saved = saved_registers();
  const bool saves_ymm = (saved & 0x6) == 0x6, saves_zmm = (saved & 0xE6) == 0xE6, saves_tiles = (saved & 0x60000) == 0x60000;
  const bool avx = saves_ymm && bit(basic.ecx, 28);
  const bool avx512 = saves_zmm && bit(extended.ebx, 16) && bit(extended.ebx, 17) && bit(extended.ebx, 30) && bit(extended.ebx, 31);
  const bool tiles = saves_tiles && bit(extended.edx, 24) && may_use_tiles();
  const std::pair<bool, CpuFeature> found[] = {
      {avx && bit(extended.ebx, 5), kCpuAvx2},
      {avx && bit(basic.ecx, 12), kCpuFma},
      {avx && bit(basic.ecx, 29), kCpuF16c},
      {avx && bit(more.eax, 4), kCpuAvxVnni},
      {avx512, kCpuAvx512},
      {avx512 && bit(extended.ecx, 11), kCpuAvx512Vnni},
      {avx512 && bit(more.eax, 5), kCpuAvx512Bf16},
      {avx512 && bit(extended.edx, 23), kCpuAvx512Fp16},
      {avx512 && bit(extended.ecx, 1), kCpuAvx512Vbmi},
      {tiles && bit(extended.edx, 25), kCpuAmxInt8},
      {tiles && bit(extended.edx, 22), kCpuAmxBf16},
  };
  uint32_t features = 0;
  for (const auto& [is_present, feature] : found)
    if (is_present) features |= feature;
  return features;
}

#else

uint32_t read_features() { return 0; }

#endif

/// Logical CPUs that this process may run on; the mask grows until the kernel's fits.
std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  for (int count = 1024; count <= 65536 && cpus.empty(); count *= 2) {
    cpu_set_t* set = CPU_ALLOC(count);
    if (set == nullptr) break;
    const size_t size = CPU_ALLOC_SIZE(count);
    CPU_ZERO_S(size, set);
    if (sched_getaffinity(0, size, set) == 0)
      for (int cpu = 0; cpu < count; ++cpu)
        if (CPU_ISSET_S(static_cast<size_t>(cpu), size, set)) cpus.push_back(cpu);
    CPU_FREE(set);
  }
  return cpus;
}

/// The first allowed logical CPU of each physical core.
std::vector<int> one_per_core(const std::vector<int>& cpus) {
  std::vector<int> firsts;
  std::set<std::string> seen;
  for (const int cpu : cpus) {
    const fs::path topology = fs::path(kCpuFolder) / ("cpu" + std::to_string(cpu)) / "topology";
    std::string siblings = kernel_line(topology / "thread_siblings_list");
    if (siblings.empty()) siblings = std::to_string(cpu);
    if (seen.insert(siblings).second) firsts.push_back(cpu);
  }
  return firsts;
}

uint64_t cache_bytes(int cpu, int level) {
  const fs::path folder = fs::path(kCpuFolder) / ("cpu" + std::to_string(cpu)) / "cache";
  for (const fs::path& index : numbered_entries(folder, "index")) {
    if (kernel_number(index / "level").value_or(0) != static_cast<uint64_t>(level) || kernel_line(index / "type") == "Instruction") continue;
    const std::string size = kernel_line(index / "size");  // "32K", "1024K", "32M"
    const uint64_t unit = size.ends_with('M') ? 1024 * 1024 : size.ends_with('K') ? 1024 : 1;
    return number_after(size, "") * unit;
  }
  static constexpr int kNames[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  return static_cast<uint64_t>(std::max(0L, ::sysconf(kNames[level - 1])));
}

CpuInfo read_cpu_info() {
  CpuInfo info;
  info.model = text_after(kernel_text("/proc/cpuinfo"), "model name");
  if (info.model.empty()) info.model = "unknown processor";
  info.features = read_features();
  std::vector<int> cpus = allowed_cpus();
  if (cpus.empty())
    for (unsigned cpu = 0; cpu < std::max(1u, std::thread::hardware_concurrency()); ++cpu) cpus.push_back(static_cast<int>(cpu));
  info.logical_cores = static_cast<int>(cpus.size());
  info.core_ids = one_per_core(cpus);
  info.physical_cores = static_cast<int>(info.core_ids.size());
  info.usable_cores = info.physical_cores;
  const double quota = cgroup_limits().cpu_quota;
  // Rounded down: a thread more than the quota gets throttled, and all others wait for it.
  if (quota > 0) info.usable_cores = std::clamp(static_cast<int>(std::floor(quota + 0.01)), 1, info.physical_cores);
  info.core_ids.resize(static_cast<size_t>(info.usable_cores));
  info.l1d_bytes = cache_bytes(cpus.front(), 1);
  info.l2_bytes = cache_bytes(cpus.front(), 2);
  info.l3_bytes = cache_bytes(cpus.front(), 3);
  return info;
}

}  // namespace

const CpuInfo& cpu_info() {
  static const CpuInfo info = read_cpu_info();
  return info;
}

std::string cpu_feature_names(uint32_t features) {
  std::string names;
  for (const FeatureName& row : kFeatureNames) {
    if ((features & row.feature) == 0) continue;
    if (!names.empty()) names += ' ';
    names += row.name;
  }
  return names;
}

Status pin_this_thread(int logical_cpu) {
  if (logical_cpu < 0) return fail(ErrorCode::invalid_argument, "cannot pin a thread to CPU {}", logical_cpu);
  cpu_set_t* set = CPU_ALLOC(logical_cpu + 1);
  if (set == nullptr) return fail(ErrorCode::out_of_memory, "no memory to pin a thread to CPU {}", logical_cpu);
  const size_t size = CPU_ALLOC_SIZE(logical_cpu + 1);
  CPU_ZERO_S(size, set);
  CPU_SET_S(static_cast<size_t>(logical_cpu), size, set);
  const bool is_done = sched_setaffinity(0, size, set) == 0;
  const int reason = errno;
  CPU_FREE(set);
  if (!is_done) return fail(ErrorCode::io, "cannot pin a thread to CPU {}: {}", logical_cpu, error_text(reason));
  return {};
}

}  // namespace phiscope::platform
