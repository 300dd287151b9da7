#pragma once
// One row of floats to codes, scales and zero points: what quantize.cpp does not say about threads, types and bytes. Internal to core/quant.

#include <cstdint>

#include "core/quant/quantize.h"

namespace phiscope {

/// Floats that a row buffer must hold after its last column, all zero: a zero is always exact, so it changes neither scale nor error.
inline constexpr int64_t kRowPadding = 8;

struct RowCodes {
  uint8_t* codes;        // [columns + kRowPadding], one code a byte
  float* scales;         // [groups], already rounded to the encoding's scale type
  uint8_t* zero_points;  // [groups]
};

/// `row` is [columns + kRowPadding], finite, zero-padded. Returns the group whose scale does not fit the scale type, or -1.
/// Same bits on every instruction set.
int64_t quantize_row(const float* row, int64_t columns, const WeightEncoding& encoding, QuantMethod method, const RowCodes& out,
                     ErrorSums* sums);

/// Adds what `stored` lost against `values`, both [count + kRowPadding] and zero-padded.
void add_errors(const float* values, const float* stored, int64_t count, ErrorSums* sums);

}  // namespace phiscope
