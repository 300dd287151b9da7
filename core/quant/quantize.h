#pragma once
// From floats to codes, one matrix at a time; knows no job, no file.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/quant/weight.h"
#include "core/tensor/dtype.h"

namespace phiscope {

enum class QuantMethod : uint8_t {
  rtn,  // scale from the largest magnitude, round to nearest
  mse,  // clip search: the scale with the least squared error per group, codes refitted
};
/// Grows when equal input gives other codes than before: part of every cache key.
inline constexpr int kQuantizerVersion = 1;

std::string_view method_name(QuantMethod method);
std::optional<QuantMethod> method_from_name(std::string_view name);

/// Errors of the stored matrix against its source.
struct QuantError {
  double mse = 0;            // mean (w - w')^2
  double sqnr_db = 0;        // 10 log10(sum w^2 / sum (w - w')^2); infinity (stored as null) when exact
  double max_abs_error = 0;
};

/// Memory for one encoded matrix, ready to be written or viewed.
struct EncodedMatrix {
  WeightEncoding encoding;
  int64_t rows = 0, columns = 0;
  std::vector<std::byte> codes, scales;
  std::vector<uint8_t> zero_points;
  WeightView view() const;
};

/// Sums that are added over rows and tensors before they become a QuantError.
struct ErrorSums {
  double squared_error = 0, squared_value = 0, max_abs_error = 0;
  int64_t elements = 0;
  void add(const ErrorSums& other);
  QuantError finish() const;
};

/// Encodes rows [first_row, first_row + rows) of `source` [N, K] (f32, f16, bf16); the outputs begin with first_row's. `scales` and
/// `zero_points` may be null where the encoding has none; blocks go to `codes` whole, by the one method that their encoder has. Same bits for any split into row ranges, any number of threads and any instruction
/// set; scales are rounded to scale_type before codes are computed. Thread-safe. Errors: invalid_file when a value is NaN or infinite, naming
/// row and column; unsupported when a scale or a value does not fit f16; invalid_argument for an encoding that does not exist.
Result<ErrorSums> quantize_rows(const TensorView& source, int64_t first_row, int64_t rows, const WeightEncoding& encoding, QuantMethod method,
                                std::byte* codes, std::byte* scales, uint8_t* zero_points, int threads = 1);

/// A whole matrix with `threads` threads.
Result<EncodedMatrix> quantize_matrix(const TensorView& source, const WeightEncoding& encoding, QuantMethod method, int threads,
                                      QuantError* error = nullptr);

}  // namespace phiscope
