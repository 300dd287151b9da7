#include "backends/cpu/kernels/kernel_rows.h"

#include <cstdlib>

#include "core/base/platform/platform.h"

namespace phiscope::cpu {

extern const KernelTable kPortableKernels;
#if defined(__x86_64__)
extern const KernelTable kAvx512AmxKernels;
extern const KernelTable kAvx512Bf16Kernels;
extern const KernelTable kAvx512VnniKernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx2Kernels;
#endif

namespace {

#if defined(__x86_64__)
constexpr uint32_t kAvx512Set = platform::kCpuAvx512 | platform::kCpuFma | platform::kCpuF16c;
constexpr uint32_t kAvx512Bf16Set = kAvx512Set | platform::kCpuAvx512Vnni | platform::kCpuAvx512Bf16;
#endif

// To add an instruction set: a folder kernels/<name>/, a row here (best first) and a flags line in CMakeLists.txt.
const KernelRow kRows[] = {
#if defined(__x86_64__)
    {"avx512_amx", kAvx512Bf16Set | platform::kCpuAmxInt8 | platform::kCpuAmxBf16, &kAvx512AmxKernels},
    {"avx512_bf16", kAvx512Bf16Set, &kAvx512Bf16Kernels},
    {"avx512_vnni", kAvx512Set | platform::kCpuAvx512Vnni, &kAvx512VnniKernels},
    {"avx512", kAvx512Set, &kAvx512Kernels},
    {"avx2", platform::kCpuAvx2 | platform::kCpuFma | platform::kCpuF16c, &kAvx2Kernels},
#endif
    {"portable", 0, &kPortableKernels},
};

std::string runnable_names(uint32_t features) {
  std::string names;
  for (const KernelRow& row : kRows) {
    if ((row.needs & ~features) != 0) continue;
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

}  // namespace

int64_t attention_scratch_floats(int64_t value_width) {
  constexpr int64_t kRowsUp = kAttentionRows + 16;  // as attention.inc
  return value_width * (kRowsUp + 2 * kKeyChunk + kRowsUp) + kRowsUp * kKeyChunk;
}

std::span<const KernelRow> kernel_rows() { return kRows; }

Result<const KernelRow*> pick_kernels(std::string_view forced, uint32_t cpu_features) {
  std::string_view origin;  // who forced it: a variable that somebody set long ago should be named
  if (forced.empty()) {
    const char* chosen = std::getenv("PHISCOPE_CPU_ISA");
    if (chosen != nullptr) forced = chosen;
    if (!forced.empty()) origin = "PHISCOPE_CPU_ISA: ";
  }
  for (const KernelRow& row : kRows) {
    const uint32_t missing = row.needs & ~cpu_features;
    if (forced.empty() && missing == 0) return &row;
    if (row.name != forced) continue;
    if (missing == 0) return &row;
    return fail(ErrorCode::unsupported, "{}instruction set '{}' needs {}, which this processor does not have; choose one of: {}", origin, forced,
                platform::cpu_feature_names(missing), runnable_names(cpu_features));
  }
  return fail(ErrorCode::invalid_argument, "{}instruction set '{}' does not exist; this processor can run: {}", origin, forced, runnable_names(cpu_features));
}

}  // namespace phiscope::cpu
