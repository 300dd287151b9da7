#include "core/quant/blocks.h"

#include <array>

#include "core/quant/block_encoders.h"
#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

#include "core/quant/block_runs.inc"

using RunFunction = void (*)(const uint8_t* block, int run, float* out);
using EncodeFunction = int64_t (*)(const float* row, int64_t columns, uint8_t* out);

struct BlockRow {
  RunFunction run;
  EncodeFunction encode = nullptr;  // null: only read
};
// In the order of the enumerators. To add a type: its run in block_runs.inc, a row here and in block_type.cpp, its golden values; to write
// it, its encoder in block_encoders.cpp.
constexpr std::array<BlockRow, 12> kRows{{{run_q4_0, encode_q4_0},
                                          {run_q4_1, encode_q4_1},
                                          {run_q5_0, encode_q5_0},
                                          {run_q5_1, encode_q5_1},
                                          {run_q8_0, encode_q8_0},
                                          {run_q2_k},
                                          {run_q3_k},
                                          {run_q4_k, encode_q4_k},
                                          {run_q5_k, encode_q5_k},
                                          {run_q6_k, encode_q6_k},
                                          {run_iq4_nl},
                                          {run_iq4_xs}}};

const BlockRow& row_of(BlockType type) { return kRows[static_cast<size_t>(type) - 1]; }

}  // namespace

uint64_t block_row_bytes(BlockType type, int64_t columns) {
  const BlockLayout& layout = block_layout(type);
  return static_cast<uint64_t>(columns / layout.values) * static_cast<uint64_t>(layout.bytes);
}

void dequantize_blocks(BlockType type, const std::byte* blocks, int64_t columns, float* out) {
  const BlockLayout& layout = block_layout(type);
  const RunFunction run = row_of(type).run;
  const auto* block = reinterpret_cast<const uint8_t*>(blocks);
  for (int64_t first = 0; first < columns; first += layout.values, block += layout.bytes) {
    for (int i = 0; i < layout.values / kRunValues; ++i) run(block, i, out + first + i * kRunValues);
  }
}

bool can_encode(BlockType type) { return row_of(type).encode != nullptr; }

int64_t encode_blocks(BlockType type, const float* row, int64_t columns, std::byte* out) {
  return row_of(type).encode(row, columns, reinterpret_cast<uint8_t*>(out));
}

}  // namespace phiscope
