// AVX-512 F, BW, DQ, VL, VNNI and BF16.
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

#include "backends/cpu/kernels/avx512/half_types.inc"
#include "backends/cpu/kernels/avx512/half_dots.inc"
#include "backends/cpu/kernels/avx512/half.inc"

constexpr KernelTable with_half(KernelTable table) {
  table.prepare_half = &prepare_half;
  table.gemm_half = &gemm_half;
  table.half_rounds = &half_rounds;
  return table;
}
}  // namespace

extern const KernelTable PHISCOPE_AVX512_TABLE(kAvx512Bf16Kernels);
constinit const KernelTable PHISCOPE_AVX512_TABLE(kAvx512Bf16Kernels) = with_half(kTable);
}  // namespace phiscope::cpu
