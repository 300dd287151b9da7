#pragma once
// Rows of activations times a packed matrix: chooses the kernel, prepares the activations, spreads the blocks over the threads.

#include <cstdint>

#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/pool.h"
#include "core/tensor/dtype.h"

namespace phiscope::cpu {

/// Rows of activations that are computed together; longer inputs go through in such pieces.
inline constexpr int64_t kMicroBatch = kGemmRows;

/// Not thread-safe.
class Multiplier {
 public:
  Multiplier(const KernelTable& kernels, Pool& pool) : kernels_(kernels), pool_(pool) {}

  /// y [rows, N] = x [rows, K] times w transposed, rows <= kMicroBatch. `int8_activations` applies to integer matrices only. The result of
  /// a row does not depend on the number of threads; it depends on the number of rows only in that a single row is summed in another order.
  void multiply(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, bool int8_activations, float* y, int64_t y_stride);

  uint64_t workspace_bytes() const;

 private:
  void multiply_wide(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride);
  void multiply_quantized(const PackedMatrix& w, int64_t rows, float* y, int64_t y_stride);
  float* floats(AlignedBuffer& buffer, int64_t count);

  const KernelTable& kernels_;
  Pool& pool_;
  AlignedBuffer rows_, sums_, panels_, codes_, scales_, packed_codes_, packed_scales_, widened_;
};

}  // namespace phiscope::cpu
