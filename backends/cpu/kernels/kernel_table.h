#pragma once
// What an instruction set's kernels offer: one table of plain functions per set. Plain data and declarations only, because this header is
// compiled into units with different instruction flags: an inline function here could be emitted with AVX-512 code and linked everywhere.

#include <cstddef>
#include <cstdint>

namespace phiscope::cpu {

/// Output rows of one packed block.
inline constexpr int kBlockRows = 32;
/// Columns that share an activation scale with 8-bit activations (core/backend/activation_quant.h).
inline constexpr int kQuantGroup = 128;
/// Positions of one key block in the KV cache, and the unit that every head's width is padded to.
inline constexpr int kKeyLanes = 16;
/// Keys that attention handles at a time.
inline constexpr int kKeyChunk = 64;

enum class PackedKind : uint8_t {
  f32, f16, bf16, q8, q4,
  q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs  // block types of GGUF as they are (file_blocks.h)
};

/// A packed matrix [rows, columns] that somebody else keeps alive; the layout is explained in packed_weights.h.
struct PackedMatrix {
  PackedKind kind;
  bool has_f32_scales;      // else f16
  bool has_zero_points;     // else the middle code is zero
  bool is_file_blocks;      // from a GGUF's blocks: activations are never rounded to 8 bits
  int64_t rows, columns;    // N, K as in the model
  int64_t group;            // columns that share a scale; floats: K
  int64_t group_padded;     // columns stored for each group
  int64_t groups;           // per row
  int64_t padded_columns;   // groups * group_padded
  int64_t blocks;           // of kBlockRows rows
  int64_t block_bytes, group_bytes;
  const std::byte* data;
};

/// One row of activations for a matrix with 8-bit activations, or all rows (see quantize_rows).
struct QuantizedRows {
  int8_t* codes;    // [tiles][padded_columns / 4][tile rows][4]; sets with tiles: [tiles][segments][steps][tile rows][step]
  float* scales;    // [tiles][segments][tile rows]
  float* sums;      // [tiles][groups][tile rows], sum of scale * code over the group
};

enum class KvKind : uint8_t { f32, f16, s8 };

/// Keys and values of one layer and KV head.
struct KvHeadView {
  KvKind kind;
  const void* keys;           // [position / 16][head_dim][16]
  const void* values;         // [position][value_width]
  const float* key_scales;    // [position], s8 only
  const float* value_scales;  // [position], s8 only
};

struct AttentionShape {
  int64_t head_dim;
  int64_t value_width;        // head_dim padded to kKeyLanes
  int64_t queries_per_kv;     // query heads that share a KV head
  int64_t window;             // key j is visible to query q iff q - j < window; 0 = all
  float scale;
  int64_t sparse_block;       // block-sparse pattern of phi-3-small; 0 = dense
  int64_t sparse_local, sparse_stride, sparse_head_step;
};

/// Rows of one attention call: `tokens` consecutive positions from `first_position`, the query heads of one KV head.
struct AttentionRows {
  const float* query;         // token t, head g of the group: query + t * query_stride + g * head_dim
  float* output;              // same addressing
  int64_t query_stride, output_stride;
  int64_t tokens;
  int64_t first_position;
  int64_t first_head;         // index of the group's first query head
};

struct KernelTable {
  int wide_tile_rows;     // activation rows of one GEMM tile, f32
  int dynamic_tile_rows;  // same, 8-bit activations
  bool has_fixed_point;   // gemv multiplies 4-bit weights with 24-bit fixed-point activations (fixed_point.inc)

  // --- matrices with f32 activations -------------------------------------------------------------------------------------
  /// One row x [columns] -> a [padded_columns] in the order and scaling that gemv expects, sums [groups].
  void (*prepare_vector)(const PackedMatrix&, const float* x, float* a, float* sums);
  /// y[row] for the rows of blocks [first, last); rows beyond the matrix are not written.
  void (*gemv)(const PackedMatrix&, const float* a, const float* sums, int64_t first, int64_t last, float* y);
  /// Rows x [rows, columns] of tiles [first, last) -> a [tiles][padded_columns][wide_tile_rows].
  void (*prepare_rows)(const PackedMatrix&, const float* x, int64_t x_stride, int64_t rows, int64_t first, int64_t last, float* a);
  /// y [rows, N] for the columns of blocks [first, last), rows <= kGemmRows. `scratch`: kGemmScratchFloats.
  void (*gemm)(const PackedMatrix&, const float* a, int64_t rows, int64_t first, int64_t last, float* y, int64_t y_stride, float* scratch);

  // --- several rows multiplied as BF16 with f32 sums; null where the set has no such instructions ---------------------------
  /// Rows x [rows, columns] of tiles [first, last) of kHalfTileRows -> a [tiles][padded_columns / 32, rounded up][32 rows][32 columns].
  void (*prepare_half)(const PackedMatrix&, const float* x, int64_t x_stride, int64_t rows, int64_t first, int64_t last, uint16_t* a);
  /// As gemm; not for f32 matrices. half.inc says what is rounded.
  void (*gemm_half)(const PackedMatrix&, const uint16_t* a, int64_t rows, int64_t first, int64_t last, float* y, int64_t y_stride, float* scratch);

  // --- matrices with 8-bit activations ------------------------------------------------------------------------------------
  /// One row as core/backend/activation_quant.h defines it: codes [columns], scales [ceil(columns / 128)].
  void (*quantize_row)(const float* x, int64_t columns, int8_t* codes, float* scales);
  /// Rows already quantized per token and group of 128 (codes [rows, columns], scales [rows, groups of 128]) of tiles [first, last)
  /// into the kernel's order. `tile_rows` is 1 for gemv_dynamic, dynamic_tile_rows for gemm_dynamic.
  void (*prepare_quantized)(const PackedMatrix&, const int8_t* codes, const float* scales, int64_t rows, int tile_rows, int64_t first,
                            int64_t last, const QuantizedRows&);
  void (*gemv_dynamic)(const PackedMatrix&, const QuantizedRows&, int64_t first, int64_t last, float* y);
  void (*gemm_dynamic)(const PackedMatrix&, const QuantizedRows&, int64_t rows, int64_t first, int64_t last, float* y, int64_t y_stride,
                       float* scratch);

  // --- attention --------------------------------------------------------------------------------------------------------
  /// Softmax attention of `rows` over one KV head. With a block-sparse pattern keys that no row sees are not read: with one token this is
  /// decided for each head, with more for all heads of the call together. `scratch`: attention_scratch_floats().
  void (*attention)(const AttentionShape&, const KvHeadView&, const AttentionRows&, float* scratch);

  // --- element-wise ------------------------------------------------------------------------------------------------------
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int64_t n, float* out);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon, int64_t n, float* out);  // bias may be null
  void (*silu_gate)(const float* gate, const float* up, int64_t n, float* out);
  void (*gelu_tanh)(const float* x, int64_t n, float* out);
  void (*gegelu)(const float* x, float limit, int64_t n, float* out);  // x [2n] interleaved g, l (core/backend/plan.h)
  void (*exp)(const float* x, int64_t n, float* out);  // relative error below 3e-7 on [-87, 88]; for tests
  void (*add)(const float* x, int64_t n, float* out);  // out += x
  void (*add_scaled)(const float* x, float scale, int64_t n, float* out);
  void (*to_f16)(const float* x, int64_t n, uint16_t* out);

  // --- probes -----------------------------------------------------------------------------------------------------------
  /// Reads `bytes` (a multiple of 1024) with the widest loads; the returned word keeps the reads alive.
  uint64_t (*read_memory)(const std::byte* data, size_t bytes);
  /// Runs `rounds` rounds of independent multiply-adds in registers; returns the operations of one round.
  int64_t (*fma_rounds)(int64_t rounds, float* sink);
  int64_t (*int8_dot_rounds)(int64_t rounds, float* sink);
  int64_t (*half_rounds)(int64_t rounds, float* sink);  // bf16; null as gemm_half
};

/// Widths that every table's scratch must have.
inline constexpr int kPanelColumns = 128;  // K columns of one dequantized panel: 128 * 32 floats = 16 KiB, half of a 32 KiB L1
inline constexpr int64_t kGemmRows = 512;      // rows of one gemm call at most
/// Activation rows of a tile and columns of a step of gemm_half.
inline constexpr int64_t kHalfTileRows = 32, kHalfStep = 32;
/// Blocks that gemm, gemm_half and gemm_dynamic handle together: a chunk of all rows' columns is read once for all of them. One core gets
/// about as little from a large third-level cache as from memory, and sums of 512 rows for 16 blocks are 1 MiB, half of a 2 MiB L2.
inline constexpr int64_t kBlocksTogether = 16;
/// Panels of up to 64 KiB, and sums of all rows for kBlocksTogether blocks.
inline constexpr int64_t kGemmScratchFloats = 16384 + kBlocksTogether * kGemmRows * kBlockRows;
/// Query rows (tokens * heads) of one attention call at most.
inline constexpr int64_t kAttentionRows = 48;
/// Floats of scratch for an attention call with heads of `value_width`.
int64_t attention_scratch_floats(int64_t value_width);

/// One instruction set's row; kernel_rows.cpp has the table and the choice.
struct KernelRow {
  const char* name;
  uint32_t needs;            // platform::CpuFeature bits
  const KernelTable* table;
};

}  // namespace phiscope::cpu
