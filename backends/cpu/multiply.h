#pragma once
// Rows of activations times a packed matrix: chooses the kernel, prepares the activations, spreads the blocks over the threads.

#include <cstdint>

#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/pool.h"
#include "core/quant/recipe.h"
#include "core/tensor/dtype.h"

namespace phiscope::cpu {

/// Rows of activations that are computed together; longer inputs go through in such pieces.
inline constexpr int64_t kMicroBatch = kGemmRows;

/// Rows from which on a set that multiplies BF16 does so where it may: for fewer, widening the weights costs more than the products.
inline constexpr int64_t kHalfRows = 8;

/// Kinds of weights that gemm_half reads (kernels/avx512/half.inc).
inline bool has_half_panel(const PackedMatrix& w) {
  return w.kind == PackedKind::bf16 || w.kind == PackedKind::f16 || w.kind == PackedKind::q8 || w.kind == PackedKind::q4;
}

/// How activations meet a matrix.
enum class Arithmetic : uint8_t {
  f32,
  half,  // rounded to BF16 where the kernel set multiplies it, for kHalfRows or more and matrices with a BF16 panel; else as f32
  int8,  // as core/backend/activation_quant.h says for integer matrices; else as f32
};
/// What a session does: integer weights leave room for BF16, floating weights keep f32 and so the precision of the reference.
inline Arithmetic arithmetic_of(const PackedMatrix& w, ActivationMode activation) {
  if (activation == ActivationMode::int8) return Arithmetic::int8;
  if (w.is_file_blocks) return Arithmetic::f32;  // a file's own blocks are not rounded a second time
  return w.kind == PackedKind::q8 || w.kind == PackedKind::q4 ? Arithmetic::half : Arithmetic::f32;
}
/// The same for a router, whose small differences decide which experts run: never rounded to BF16.
inline Arithmetic router_arithmetic(const PackedMatrix& w, ActivationMode activation) {
  const Arithmetic arithmetic = arithmetic_of(w, activation);
  return arithmetic == Arithmetic::half ? Arithmetic::f32 : arithmetic;
}

/// Not thread-safe.
class Multiplier {
 public:
  Multiplier(const KernelTable& kernels, Pool& pool) : kernels_(kernels), pool_(pool) {}

  /// y [rows, N] = x [rows, K] times w transposed, rows <= kMicroBatch. The result of a row does not depend on the number of
  /// threads; it depends on the number of rows only in that a single row is summed in another order and that fewer than kHalfRows are never
  /// rounded to BF16.
  void multiply(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, Arithmetic arithmetic, float* y, int64_t y_stride);

  uint64_t workspace_bytes() const;

 private:
  void multiply_wide(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride);
  void multiply_half(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride);
  void multiply_quantized(const PackedMatrix& w, int64_t rows, float* y, int64_t y_stride);
  float* floats(AlignedBuffer& buffer, int64_t count);

  const KernelTable& kernels_;
  Pool& pool_;
  AlignedBuffer rows_, sums_, panels_, codes_, scales_, packed_codes_, packed_scales_, widened_;
};

}  // namespace phiscope::cpu
