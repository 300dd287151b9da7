#pragma once
// Integer matrices that a GGUF block type holds without rounding anything: an artifact becomes the file that is deployed, code for code.

#include <cstddef>
#include <cstdint>

#include "core/quant/weight.h"

namespace phiscope {

/// Q4_0 for symmetric 4 bits, Q8_0 for symmetric 8 bits, when scales are f16 and groups and rows are whole blocks of 32; of blocks their own
/// type; else none.
BlockType exact_block_type(const WeightEncoding& encoding, int64_t columns);

/// Rows [first_row, first_row + rows) of an integer matrix as blocks of exact_block_type(): same codes, scales repeated where a group has
/// several blocks. `out` has rows * block_row_bytes() bytes. Thread-safe.
void copy_to_blocks(const WeightView& weight, int64_t first_row, int64_t rows, std::byte* out);

}  // namespace phiscope
