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

}  // namespace phiscope
