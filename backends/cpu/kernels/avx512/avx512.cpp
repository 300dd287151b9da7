// AVX-512 F, BW, DQ, VL.
#include "backends/cpu/kernels/avx512/intrinsics.h"
#include "backends/cpu/kernels/kernel_table.h"

namespace phiscope::cpu {
namespace {
constexpr bool kHasVnni = false;
#include "backends/cpu/kernels/avx512/vec.inc"

#include "backends/cpu/kernels/generic/common.inc"
#include "backends/cpu/kernels/generic/wide.inc"
#include "backends/cpu/kernels/generic/fixed_point.inc"
#include "backends/cpu/kernels/generic/dynamic.inc"
#include "backends/cpu/kernels/generic/attention.inc"
#include "backends/cpu/kernels/generic/elementwise.inc"
#include "backends/cpu/kernels/generic/table.inc"
}  // namespace

extern const KernelTable PHISCOPE_AVX512_TABLE(kAvx512Kernels);
constinit const KernelTable PHISCOPE_AVX512_TABLE(kAvx512Kernels) = kTable;
}  // namespace phiscope::cpu
