#pragma once
// Which kernels run: rows in order of preference, the first that the processor has, or one forced by name.

#include <span>
#include <string>
#include <string_view>

#include "backends/cpu/kernels/kernel_table.h"
#include "core/base/result.h"

namespace phiscope::cpu {

std::span<const KernelRow> kernel_rows();
/// `forced` empty: $PHISCOPE_CPU_ISA, else the best. Errors: invalid_argument for an unknown name, unsupported when the processor lacks
/// what the row needs; both name what can be chosen here.
Result<const KernelRow*> pick_kernels(std::string_view forced, uint32_t cpu_features);

}  // namespace phiscope::cpu
