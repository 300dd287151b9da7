#include "core/convert/matrix_writer.h"

#include <algorithm>

#include "core/convert/artifact_layout.h"
#include "core/convert/source_rows.h"
#include "core/quant/exact_blocks.h"

namespace phiscope {

// Integer codes, or blocks as floats, into out_.
void MatrixWriter::lay_out(const WeightView& view, int64_t first_row, int64_t rows, const WeightEncoding& layout) {
  out_.resize(layout.bytes(rows, view.columns));
  if (layout.is_blocks()) return copy_to_blocks(view, first_row, rows, out_.data());
  for (int64_t row = 0; row < rows; ++row)
    dequantize_row(view, first_row + row, reinterpret_cast<float*>(out_.data()) + row * view.columns);
}

Result<ErrorSums> MatrixWriter::encode_piece(const TensorView& matrix, int64_t first_row, int64_t rows, const MatrixTarget& target) {
  const WeightEncoding& values = target.values;
  const int64_t columns = matrix.columns(), groups = values.groups(columns);
  codes_.resize(static_cast<size_t>(rows) * values.code_bytes_per_row(columns));
  scales_.resize(static_cast<size_t>(rows * groups) * dtype_bytes(values.scale_type));
  zero_points_.resize(values.offset == OffsetClass::zero_point ? static_cast<size_t>(rows * groups) : 0);
  PHISCOPE_ASSIGN(const ErrorSums sums, quantize_rows(matrix, first_row, rows, values, method_, codes_.data(), scales_.data(),
                                                      zero_points_.empty() ? nullptr : zero_points_.data(), threads_));
  if (same_encoding(values, target.layout)) {
    out_.swap(codes_);
    return sums;
  }
  lay_out({values, rows, columns, codes_.data(), scales_.data(), zero_points_.data()}, 0, rows, target.layout);
  return sums;
}

Result<ErrorSums> MatrixWriter::write(Weight weight, const MatrixTarget& target, const Sink& sink, const OnRows& on_rows) {
  SourceRows source(std::move(weight));
  const WeightView& view = source.view();
  // Floats are encoded to their own type too: that finds NaN and infinity.
  const bool is_copy = same_encoding(view.encoding, target.values) && !view.encoding.is_floating();
  const uint64_t row_bytes = target.layout.bytes(1, view.columns);
  const int64_t rows_per_piece = std::clamp<int64_t>(kElementsPerPiece / view.columns, 1, view.rows);
  ErrorSums sums;
  for (int64_t first = 0; first < view.rows; first += rows_per_piece) {
    const int64_t rows = std::min(rows_per_piece, view.rows - first);
    if (is_copy && same_encoding(view.encoding, target.layout)) {
      PHISCOPE_TRY(sink({view.codes + static_cast<uint64_t>(first) * row_bytes, static_cast<uint64_t>(rows) * row_bytes}));
    } else if (is_copy) {
      lay_out(view, first, rows, target.layout);
      PHISCOPE_TRY(sink(out_));
    } else {
      const SourceRows::Piece piece = source.piece(first, rows);
      PHISCOPE_ASSIGN(const ErrorSums piece_sums, encode_piece(piece.matrix, piece.first_row, rows, target));
      sums.add(piece_sums);
      PHISCOPE_TRY(sink(std::span(out_).first(static_cast<uint64_t>(rows) * row_bytes)));
    }
    PHISCOPE_TRY(on_rows(rows));
  }
  return sums;
}

}  // namespace phiscope
