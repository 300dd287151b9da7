#pragma once
// A source matrix as quantize_rows takes it. Internal to core/convert.

#include <utility>
#include <vector>

#include "core/quant/weight.h"

namespace phiscope {

// Elements in memory at once: 32 MB of codes when they are f32, 0.1 s of clip search on two cores, so that cancelling is quick.
inline constexpr int64_t kElementsPerPiece = int64_t{1} << 23;

/// The file's own floats, or a piece dequantized.
class SourceRows {
 public:
  struct Piece {
    TensorView matrix;  // valid until the next call
    int64_t first_row;  // of the piece in `matrix`
  };
  explicit SourceRows(Weight weight) : weight_(std::move(weight)) {}

  Piece piece(int64_t first, int64_t count) {
    const WeightView& view = weight_.view;
    if (view.encoding.is_floating())
      return {{.dtype = view.encoding.float_type, .shape = {view.rows, view.columns}, .data = view.codes}, first};
    wide_.resize(static_cast<size_t>(count * view.columns));
    for (int64_t row = 0; row < count; ++row) dequantize_row(view, first + row, wide_.data() + row * view.columns);
    return {{.dtype = DType::f32, .shape = {count, view.columns}, .data = reinterpret_cast<const std::byte*>(wide_.data())}, 0};
  }
  const WeightView& view() const { return weight_.view; }

 private:
  Weight weight_;
  std::vector<float> wide_;
};

}  // namespace phiscope
