#include "core/quant/blocks.h"

#include <array>

#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

#include "core/quant/block_runs.inc"

using RunFunction = void (*)(const uint8_t* block, int run, float* out);

// In the order of the enumerators. To add a type: its run in block_runs.inc, a row here and in block_type.cpp, its golden values.
constexpr std::array<RunFunction, 12> kRuns{run_q4_0, run_q4_1, run_q5_0, run_q5_1, run_q8_0,   run_q2_k,
                                            run_q3_k, run_q4_k, run_q5_k, run_q6_k, run_iq4_nl, run_iq4_xs};

}  // namespace

uint64_t block_row_bytes(BlockType type, int64_t columns) {
  const BlockLayout& layout = block_layout(type);
  return static_cast<uint64_t>(columns / layout.values) * static_cast<uint64_t>(layout.bytes);
}

void dequantize_blocks(BlockType type, const std::byte* blocks, int64_t columns, float* out) {
  const BlockLayout& layout = block_layout(type);
  const RunFunction run = kRuns[static_cast<size_t>(type) - 1];
  const auto* block = reinterpret_cast<const uint8_t*>(blocks);
  for (int64_t first = 0; first < columns; first += layout.values, block += layout.bytes) {
    for (int i = 0; i < layout.values / kRunValues; ++i) run(block, i, out + first + i * kRunValues);
  }
}

}  // namespace phiscope
