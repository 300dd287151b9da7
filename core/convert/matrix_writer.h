#pragma once
// One matrix from a model's file into another file, in pieces of rows. Internal to core/convert.

#include <functional>
#include <span>
#include <vector>

#include "core/quant/quantize.h"
#include "core/quant/weight.h"

namespace phiscope {

/// What becomes of a matrix: first its values are stored as `values` says (rounded when that is not what the source has), then they are laid
/// out as `layout`, exactly. `layout` is floating or blocks: `values` itself, or exact_block_type(values), or f32.
struct MatrixTarget {
  WeightEncoding values, layout;
};

class MatrixWriter {
 public:
  using Sink = std::function<Status(std::span<const std::byte>)>;
  using OnRows = std::function<Status(int64_t rows)>;  // progress; an error stops
  MatrixWriter(QuantMethod method, int threads) : method_(method), threads_(threads) {}

  /// Errors of quantize_rows, of `sink` and of `on_rows`. Private memory: one piece.
  Result<ErrorSums> write(Weight weight, const MatrixTarget& target, const Sink& sink, const OnRows& on_rows);

 private:
  Result<ErrorSums> encode_piece(const TensorView& matrix, int64_t first_row, int64_t rows, const MatrixTarget& target);
  void lay_out(const WeightView& view, int64_t first_row, int64_t rows, const WeightEncoding& layout);

  QuantMethod method_;
  int threads_;
  std::vector<std::byte> codes_, scales_, out_;  // of one piece
  std::vector<uint8_t> zero_points_;
};

}  // namespace phiscope
