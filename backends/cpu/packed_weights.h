#pragma once
// Matrices in the order in which kernels read them; independent of the instruction set and the number of threads.
//
// A block is 32 rows (the last one padded with zero rows). Floats: f32 and f16 [K][32], bf16 [K/2][32][2]. Integers: for each group of
// columns the 32 scales in the artifact's type, 32 zero points where the encoding has them, then lines of 128 bytes: 8 bits [K/4][32][4];
// 4 bits [K/8][32][4] with column 8i + j in the low nibble of byte j and column 8i + 4 + j in its high nibble. Codes are unsigned.
// Block types of GGUF files have layouts of their own of the file's size (file_blocks.h).
// A group is padded to a multiple of 8 columns (4 for floats); activations are laid out with the same padding, filled with zeros.

#include <memory>
#include <string>

#include "backends/cpu/kernels/kernel_table.h"
#include "core/base/result.h"
#include "core/quant/weight.h"

namespace phiscope::cpu {

/// Changes whenever the layout does: part of the packed cache's key.
inline constexpr int kPackedLayoutVersion = 2;

/// The layout of [rows, columns] with `encoding`, data null. Errors: unsupported naming the encoding.
Result<PackedMatrix> packed_shape(const WeightEncoding& encoding, int64_t rows, int64_t columns);
inline uint64_t packed_bytes(const PackedMatrix& shape) { return static_cast<uint64_t>(shape.blocks * shape.block_bytes); }

/// Writes blocks [first, last) of `weight` to `out`, the start of the whole matrix. Thread-safe for distinct blocks.
void pack_blocks(const WeightView& weight, const PackedMatrix& shape, int64_t first, int64_t last, std::byte* out);

/// True when integer dots can follow the activation groups: a weight group is whole lines and one of both group sizes divides the other.
/// Otherwise 8-bit activations are multiplied as f32, with the same values.
bool can_run_dynamic(const PackedMatrix& shape);

/// True when a set with fixed_point.inc multiplies single rows that way.
bool runs_fixed_point(const PackedMatrix& shape);

/// Segments of one row with 8-bit activations (columns that share both scales).
int64_t packed_segments(const PackedMatrix& shape);
/// Codes of one row with 8-bit activations, segments padded to what any kernel set reads at once.
int64_t packed_code_columns(const PackedMatrix& shape);

}  // namespace phiscope::cpu
