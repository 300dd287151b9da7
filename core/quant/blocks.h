#pragma once
// The block types of GGUF as values. Every type is a row of the table in blocks.cpp; one block is a whole number of runs of 32 values.

#include <cstddef>
#include <cstdint>

#include "core/tensor/block_type.h"

namespace phiscope {

/// `columns` is a multiple of the block's values.
uint64_t block_row_bytes(BlockType type, int64_t columns);

/// out [columns] = the values of one row of blocks, bit for bit as ggml and gguf-py compute them. `blocks` needs no alignment. Thread-safe.
void dequantize_blocks(BlockType type, const std::byte* blocks, int64_t columns, float* out);

/// True for the types that encode_blocks writes; all are read.
bool can_encode(BlockType type);

/// out = the row's blocks. Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: round to nearest, bit for bit as ggml and gguf-py; Q4_K, Q5_K, Q6_K: the least
/// squared error that a search finds. `row` is finite, `columns` a multiple of the block's values. Returns the first block whose scale does
/// not fit f16, or -1. Same bits on every instruction set. Thread-safe.
int64_t encode_blocks(BlockType type, const float* row, int64_t columns, std::byte* out);

}  // namespace phiscope
