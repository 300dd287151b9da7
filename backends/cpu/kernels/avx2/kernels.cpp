#include <immintrin.h>

#include "backends/cpu/kernels/kernel_table.h"


namespace phiscope::cpu {
namespace {
#include "backends/cpu/kernels/avx2/vec.inc"

#include "backends/cpu/kernels/generic/common.inc"
#include "backends/cpu/kernels/generic/wide.inc"
#include "backends/cpu/kernels/generic/fixed_point.inc"
#include "backends/cpu/kernels/generic/dynamic.inc"
#include "backends/cpu/kernels/generic/attention.inc"
#include "backends/cpu/kernels/generic/elementwise.inc"
#include "backends/cpu/kernels/generic/table.inc"
}  // namespace

extern const KernelTable kAvx2Kernels;
constinit const KernelTable kAvx2Kernels = kTable;
}  // namespace phiscope::cpu
