#include "backends/cpu/kernels/kernel_table.h"
#include "core/tensor/dtype.h"

namespace phiscope::cpu {
namespace {
#include "backends/cpu/kernels/portable/vec.inc"

#include "backends/cpu/kernels/generic/common.inc"
#include "backends/cpu/kernels/generic/wide.inc"
#include "backends/cpu/kernels/generic/fixed_point.inc"
#include "backends/cpu/kernels/generic/dynamic.inc"
#include "backends/cpu/kernels/generic/attention.inc"
#include "backends/cpu/kernels/generic/elementwise.inc"
#include "backends/cpu/kernels/generic/table.inc"
}  // namespace

extern const KernelTable kPortableKernels;
constinit const KernelTable kPortableKernels = kTable;
}  // namespace phiscope::cpu
