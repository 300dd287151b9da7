// AVX-512 with VNNI and BF16, and AMX for matrices times several rows.
#include "backends/cpu/kernels/avx512/intrinsics.h"
#include "backends/cpu/kernels/amx/tiles.h"
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
#include "backends/cpu/kernels/amx/half_tiles.inc"
#include "backends/cpu/kernels/avx512/half.inc"
#include "backends/cpu/kernels/amx/dynamic_tiles.inc"

constexpr KernelTable with_tiles(KernelTable table) {
  table.prepare_half = &prepare_half;
  table.gemm_half = &gemm_half;
  table.dynamic_tile_rows = kDynamicTileRows;
  table.prepare_quantized = &prepare_tiles;
  table.gemm_dynamic = &gemm_tiles;
  table.int8_dot_rounds = &tile_dot_rounds;
  table.half_rounds = &half_rounds;
  return table;
}
}  // namespace

extern const KernelTable PHISCOPE_AVX512_TABLE(kAvx512AmxKernels);
constinit const KernelTable PHISCOPE_AVX512_TABLE(kAvx512AmxKernels) = with_tiles(kTable);
}  // namespace phiscope::cpu
