#pragma once
// The bytes of a series in the database. One zstd frame over the columns, one after the other; each column begins with a byte that names its
// form, chosen as the smallest that gives back the same bits:
//   0  f64, little-endian
//   1  whole numbers below 2^53: differences to the value before, zigzag, LEB128
//   2  f32, little-endian, where every value is exactly representable

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::store {

struct EncodedSeries {
  std::string columns;   // JSON array of names
  int64_t length = 0;    // values in each column
  std::string checksum;  // of the uncompressed bytes
  std::string data;
};

/// Error invalid_argument when names and columns do not match or the columns differ in length.
Result<EncodedSeries> encode_series(const Series& series);

/// Fills columns and rows. Error invalid_file when the bytes are damaged; never reads or allocates beyond what `length` allows.
Status decode_series(const EncodedSeries& encoded, Series& series);

}  // namespace phiscope::store
