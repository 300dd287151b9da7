#include "backends/cpu/multiply.h"

#include <algorithm>

#include "backends/cpu/packed_weights.h"

namespace phiscope::cpu {
namespace {

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Blocks of one piece: about eight pieces a thread, so that a thread that the system stopped leaves little behind.
int64_t block_grain(const PackedMatrix& w, int threads) { return std::max<int64_t>(1, w.blocks / (int64_t{8} * threads)); }

/// The same for several rows: at least three pieces a thread, at most what a kernel gains from.
int64_t gemm_grain(const PackedMatrix& w, int threads) { return std::clamp<int64_t>(w.blocks / (int64_t{3} * threads), 1, kBlocksTogether); }

std::byte* reserve(AlignedBuffer& buffer, int64_t bytes) {
  const auto needed = static_cast<size_t>(std::max<int64_t>(bytes, 64));
  if (buffer.size() < needed) buffer = AlignedBuffer(needed);
  return buffer.data();
}

}  // namespace

float* Multiplier::floats(AlignedBuffer& buffer, int64_t count) { return reinterpret_cast<float*>(reserve(buffer, count * 4)); }

void Multiplier::multiply(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, Arithmetic arithmetic, float* y,
                          int64_t y_stride) {
  if (arithmetic == Arithmetic::half && rows >= kHalfRows && kernels_.gemm_half != nullptr && !w.is_file_blocks && has_half_panel(w)) {
    return multiply_half(w, x, x_stride, rows, y, y_stride);
  }
  const bool is_integer = !w.is_file_blocks && (w.kind == PackedKind::q8 || w.kind == PackedKind::q4);
  if (arithmetic != Arithmetic::int8 || !is_integer) return multiply_wide(w, x, x_stride, rows, y, y_stride);

  const int64_t groups = ceil_divide(w.columns, kQuantGroup);
  auto* codes = reinterpret_cast<int8_t*>(reserve(codes_, rows * w.columns));
  float* scales = floats(scales_, rows * groups);
  pool_.run(rows, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) kernels_.quantize_row(x + r * x_stride, w.columns, codes + r * w.columns, scales + r * groups);
  });
  if (can_run_dynamic(w)) return multiply_quantized(w, rows, y, y_stride);

  float* widened = floats(widened_, rows * w.columns);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < w.columns; ++k) {
      widened[r * w.columns + k] = scales[r * groups + k / kQuantGroup] * static_cast<float>(codes[r * w.columns + k]);
    }
  }
  multiply_wide(w, widened, w.columns, rows, y, y_stride);
}

void Multiplier::multiply_wide(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride) {
  if (rows == 1) {
    float* a = floats(rows_, w.padded_columns);
    float* sums = floats(sums_, w.groups);
    kernels_.prepare_vector(w, x, a, sums);
    pool_.run(w.blocks, block_grain(w, pool_.threads()),
              [&](int64_t begin, int64_t end, int) { kernels_.gemv(w, a, sums, begin, end, y); });
    return;
  }
  const int64_t tiles = ceil_divide(rows, kernels_.wide_tile_rows);
  float* a = floats(rows_, tiles * kernels_.wide_tile_rows * w.padded_columns);
  float* panels = floats(panels_, pool_.threads() * kGemmScratchFloats);
  pool_.run(tiles, 4, [&](int64_t begin, int64_t end, int) { kernels_.prepare_rows(w, x, x_stride, rows, begin, end, a); });
  pool_.run(w.blocks, gemm_grain(w, pool_.threads()), [&](int64_t begin, int64_t end, int thread) {
    kernels_.gemm(w, a, rows, begin, end, y, y_stride, panels + thread * kGemmScratchFloats);
  });
}

void Multiplier::multiply_half(const PackedMatrix& w, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride) {
  const int64_t tiles = ceil_divide(rows, kHalfTileRows), steps = ceil_divide(w.padded_columns, kHalfStep);
  auto* a = reinterpret_cast<uint16_t*>(reserve(rows_, tiles * kHalfTileRows * steps * kHalfStep * 2));
  float* panels = floats(panels_, pool_.threads() * kGemmScratchFloats);
  pool_.run(tiles, 1, [&](int64_t begin, int64_t end, int) { kernels_.prepare_half(w, x, x_stride, rows, begin, end, a); });
  pool_.run(w.blocks, gemm_grain(w, pool_.threads()), [&](int64_t begin, int64_t end, int thread) {
    kernels_.gemm_half(w, a, rows, begin, end, y, y_stride, panels + thread * kGemmScratchFloats);
  });
}

void Multiplier::multiply_quantized(const PackedMatrix& w, int64_t rows, float* y, int64_t y_stride) {
  const int tile_rows = rows == 1 ? 1 : kernels_.dynamic_tile_rows;
  const int64_t tiles = ceil_divide(rows, tile_rows), padded_rows = tiles * tile_rows;
  const QuantizedRows q{.codes = reinterpret_cast<int8_t*>(reserve(packed_codes_, padded_rows * packed_code_columns(w))),
                        .scales = floats(packed_scales_, padded_rows * packed_segments(w)),
                        .sums = floats(sums_, padded_rows * w.groups)};
  const auto* codes = reinterpret_cast<const int8_t*>(codes_.data());
  const auto* scales = reinterpret_cast<const float*>(scales_.data());
  pool_.run(tiles, tile_rows > 16 ? 1 : 4,
            [&](int64_t begin, int64_t end, int) { kernels_.prepare_quantized(w, codes, scales, rows, tile_rows, begin, end, q); });
  if (rows == 1) {
    pool_.run(w.blocks, block_grain(w, pool_.threads()), [&](int64_t begin, int64_t end, int) { kernels_.gemv_dynamic(w, q, begin, end, y); });
    return;
  }
  float* panels = floats(panels_, pool_.threads() * kGemmScratchFloats);
  pool_.run(w.blocks, gemm_grain(w, pool_.threads()), [&](int64_t begin, int64_t end, int thread) {
    kernels_.gemm_dynamic(w, q, rows, begin, end, y, y_stride, panels + thread * kGemmScratchFloats);
  });
}

uint64_t Multiplier::workspace_bytes() const {
  uint64_t total = 0;
  for (const AlignedBuffer* buffer : {&rows_, &sums_, &panels_, &codes_, &scales_, &packed_codes_, &packed_scales_, &widened_}) {
    total += buffer->size();
  }
  return total;
}

}  // namespace phiscope::cpu
