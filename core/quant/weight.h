#pragma once
// The quantized tensor: w = s*q + beta, q unsigned, s and beta per row and per group along K. Layout: rows [N, K], row-major, codes LSB
// first, each row starting on a byte (docs/formats.md of the design; GGUF, ONNX MatMulNBits, OpenVINO and MLX map to it without loss).
// Or rows of a file's own blocks, as a GGUF holds them: kept as they are, so that two-level scales stay and nothing is rounded again.

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/tensor/dtype.h"

namespace phiscope {

enum class OffsetClass : uint8_t {
  symmetric,   // beta = -2^(bits-1) * s, not stored
  zero_point,  // beta = -z * s, z an integer 0..2^bits-1, one byte per group
};

/// How a matrix is stored. Floating: `bits` is 0 and `float_type` says which. Integer: bits 4 or 8. Blocks: `block` says which, bits is 0.
struct WeightEncoding {
  DType float_type = DType::f32;                  // floating only
  int bits = 0;                                   // 0 = floating
  int group = 0;                                  // columns that share a scale; 0 = the whole row; the last group may be shorter
  OffsetClass offset = OffsetClass::symmetric;
  DType scale_type = DType::f16;                  // f16 or f32
  BlockType block = BlockType::none;              // columns are a multiple of its values

  bool is_integer() const { return bits != 0; }
  bool is_blocks() const { return block != BlockType::none; }
  bool is_floating() const { return !is_integer() && !is_blocks(); }
  int64_t groups(int64_t columns) const;          // per row; integer only, else 0
  uint64_t code_bytes_per_row(int64_t columns) const;  // floats and blocks included
  uint64_t bytes(int64_t rows, int64_t columns) const;  // codes + scales + zero points
  /// "int4 g32 f16-scale", "bf16", "Q4_K": shown to users and stored.
  std::string name() const;
  bool operator==(const WeightEncoding&) const = default;
};

/// A matrix [rows, columns] that somebody else keeps alive.
struct WeightView {
  WeightEncoding encoding;
  int64_t rows = 0;
  int64_t columns = 0;
  const std::byte* codes = nullptr;       // rows * code_bytes_per_row; floating: the values themselves; blocks: the file's
  const std::byte* scales = nullptr;      // [rows, groups] of scale_type
  const uint8_t* zero_points = nullptr;   // [rows, groups], zero_point only

  /// The value of one group's scale, widened.
  float scale(int64_t row, int64_t group) const;
  /// Unsigned code of one element (integer encodings).
  int code(int64_t row, int64_t column) const;
};

/// out[columns] = the row's values in f32, s*(q - z) computed as one multiplication of the widened scale with an exact integer; of blocks
/// the value that their format defines (blocks.h).
void dequantize_row(const WeightView& weight, int64_t row, float* out);

/// A matrix with whatever keeps its memory alive (a mapping, a buffer).
struct Weight {
  WeightView view;
  std::shared_ptr<const void> owner;
};

/// Where a backend gets a model's matrices from, one at a time, so that packing never needs two copies of the model. Index = index in
/// Plan::tensors. Thread-safe. Errors name the tensor.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual Result<Weight> tensor(int index) const = 0;
  virtual WeightEncoding encoding(int index) const = 0;
  /// Tells that the caller packed the tensor and will not read it again soon: mapped pages may be dropped.
  virtual void release(int index) const { (void)index; }
  /// Identity of all the content: equal hashes mean equal bits. Empty = not cacheable (synthetic weights).
  virtual std::string hash() const = 0;
};

}  // namespace phiscope
