#pragma once
// What the processor can do: read bandwidth and arithmetic rates, measured with the kernels' own instructions.

#include <vector>

#include "backends/cpu/kernels/kernel_table.h"
#include "core/backend/backend.h"

namespace phiscope::cpu {

/// With one thread and with `threads`: read_gb_s, fp32_gflop_s, bf16_gflop_s where the set multiplies it, int8_gop_s. Takes about a second and 1 GiB of memory (less where less is
/// available, at least 64 MiB). Errors: out_of_memory.
Result<std::vector<ProbeValue>> probe_device(const KernelRow& kernels, int threads);

}  // namespace phiscope::cpu
