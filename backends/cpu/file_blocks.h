#pragma once
// From the block types of GGUF to packed matrices of the same size: scales and codes are moved, never computed.
//
// 32 rows' blocks of the same columns make one piece: its header (halves [32] each, then scale bytes as planes [32]), then runs of 32 columns.
// A run has `bits` lines of 128 bytes, four bytes a row and line; with columns 4t..4t+3 of the run as quad t:
//   4 bits   lines 0-3: line i has quad 2i in low nibbles, quad 2i + 1 in high ones
//   5 bits   as 4, then line 4: bit t of byte j is the fifth bit of column 4t + j
//   6 bits   as 4, then lines 4, 5: bits 2u, 2u+1 of byte j of line 4 + h are the high bits of column 4 (4h + u) + j
//   2 bits   lines 0, 1: bits 2u, 2u+1 of byte j of line h are column 4 (4h + u) + j;  3 bits: then line 2 as the fifth bits
//   8 bits   line t: quad t, value + 128
// Q4_0 and Q8_0 come out exactly as "int4 g32 f16-scale" and "int8 g32 f16-scale" do, and run with their kernels.

#include "backends/cpu/kernels/kernel_table.h"
#include "core/base/result.h"
#include "core/quant/weight.h"

namespace phiscope::cpu {

/// Kind, group and sizes of [rows, columns] in blocks; data null.
PackedMatrix file_blocks_shape(BlockType type, int64_t rows, int64_t columns);

/// Packs block `block` (32 rows) of `weight` to `out`, which is that block's place.
void pack_file_blocks(const WeightView& weight, const PackedMatrix& shape, int64_t block, std::byte* out);

}  // namespace phiscope::cpu
