// AVX-512 F, BW, DQ, VL and VNNI.
#include "backends/cpu/kernels/avx512/intrinsics.h"
#include "backends/cpu/kernels/kernel_table.h"

namespace phiscope::cpu {
namespace {
constexpr bool kHasVnni = true;
#include "backends/cpu/kernels/avx512/vec.inc"

#include "backends/cpu/kernels/generic/common.inc"
#include "backends/cpu/kernels/generic/wide.inc"
#include "backends/cpu/kernels/generic/fixed_point.inc"
#include "backends/cpu/kernels/generic/dynamic.inc"
#include "backends/cpu/kernels/generic/attention.inc"
#include "backends/cpu/kernels/generic/elementwise.inc"
#include "backends/cpu/kernels/generic/table.inc"
}  // namespace

extern const KernelTable PHISCOPE_AVX512_TABLE(kAvx512VnniKernels);
constinit const KernelTable PHISCOPE_AVX512_TABLE(kAvx512VnniKernels) = kTable;
}  // namespace phiscope::cpu
