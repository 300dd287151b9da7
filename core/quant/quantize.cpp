#include "core/quant/quantize.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "core/quant/blocks.h"
#include "core/quant/row_quantizer.h"
#include "core/tensor/multiversion.h"

namespace phiscope {
namespace {

struct MethodRow {
  QuantMethod method;
  std::string_view name;
};

// In the order of the enumerators.
constexpr std::array kMethods{MethodRow{QuantMethod::rtn, "rtn"}, MethodRow{QuantMethod::mse, "mse"}};

Status check_blocks(BlockType type, int64_t columns) {
  const BlockLayout& layout = block_layout(type);
  if (!can_encode(type)) return fail(ErrorCode::invalid_argument, "{} blocks are read, not written", layout.name);
  if (columns % layout.values == 0) return {};
  return fail(ErrorCode::invalid_argument, "rows of {} values are no whole number of {} blocks of {}", columns, layout.name, layout.values);
}

bool is_float_type(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

Status check(const TensorView& source, int64_t first_row, int64_t rows, const WeightEncoding& encoding) {
  if (!is_float_type(source.dtype))
    return fail(ErrorCode::invalid_argument, "the source is {}; only f32, f16 and bf16 can be encoded", dtype_name(source.dtype));
  if (first_row < 0 || rows < 0 || first_row + rows > source.rows())
    return fail(ErrorCode::invalid_argument, "rows {} to {} are outside a matrix of {} rows", first_row, first_row + rows, source.rows());
  if (encoding.is_blocks()) return check_blocks(encoding.block, source.columns());
  if (encoding.is_floating()) {
    if (is_float_type(encoding.float_type)) return {};
    return fail(ErrorCode::invalid_argument, "weights cannot be stored as {}; f32, f16 and bf16 can", dtype_name(encoding.float_type));
  }
  if (encoding.bits != 4 && encoding.bits != 8)
    return fail(ErrorCode::invalid_argument, "weights of {} bits do not exist here; 4 and 8 bits do", encoding.bits);
  constexpr std::array kGroups{0, 16, 32, 64, 128, 256};
  if (std::ranges::find(kGroups, encoding.group) == kGroups.end())
    return fail(ErrorCode::invalid_argument, "group {} does not exist; 16, 32, 64, 128, 256 and the whole row do", encoding.group);
  if (encoding.scale_type != DType::f16 && encoding.scale_type != DType::f32)
    return fail(ErrorCode::invalid_argument, "scales cannot be stored as {}; f16 and f32 can", dtype_name(encoding.scale_type));
  return {};
}

/// All bits set when any of the values is infinite or NaN.
PHISCOPE_LOOP uint32_t non_finite_loop(const float* values, int64_t count) {
  uint32_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits = 0;
    std::memcpy(&bits, values + i, sizeof(bits));
    found |= (bits & 0x7f800000u) == 0x7f800000u ? ~0u : 0u;
  }
  return found;
}
PHISCOPE_MULTIVERSION_RETURNING(uint32_t, non_finite, non_finite_loop, (const float* values, int64_t count), (values, count));

Status check_finite(const float* values, int64_t count, int64_t row) {
  if (non_finite(values, count) == 0) return {};
  const int64_t column = std::find_if(values, values + count, [](float value) { return !std::isfinite(value); }) - values;
  return fail(ErrorCode::invalid_file, "the value at row {}, column {} is {}; weights must be finite", row, column,
              std::isnan(values[column]) ? "NaN" : "infinite");
}

PHISCOPE_LOOP void pack_nibbles_loop(const uint8_t* codes, int64_t pairs, uint8_t* out) {
  for (int64_t i = 0; i < pairs; ++i) out[i] = static_cast<uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
}
PHISCOPE_MULTIVERSION(pack_nibbles, pack_nibbles_loop, (const uint8_t* codes, int64_t pairs, uint8_t* out), (codes, pairs, out));

/// Four bits: the low nibble is the even column; a last odd one has an empty high nibble.
void pack_codes(const uint8_t* codes, int64_t columns, int bits, std::byte* out) {
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  if (bits == 8) {
    std::memcpy(bytes, codes, static_cast<size_t>(columns));
    return;
  }
  pack_nibbles(codes, columns / 2, bytes);
  if (columns % 2 != 0) bytes[columns / 2] = codes[columns - 1] & 15;
}

void store_scales(const float* scales, int64_t count, DType type, std::byte* out) {
  if (type == DType::f32) {
    std::memcpy(out, scales, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const uint16_t half = f32_to_f16(scales[i]);  // exact: already rounded
    std::memcpy(out + 2 * i, &half, sizeof(half));
  }
}

Result<ErrorSums> encode_integer(const TensorView& source, int64_t first_row, int64_t rows, const WeightEncoding& encoding,
                                 QuantMethod method, std::byte* codes, std::byte* scales, uint8_t* zero_points) {
  const int64_t columns = source.columns();
  const int64_t groups = encoding.groups(columns);
  std::vector<float> row_values(static_cast<size_t>(columns + kRowPadding));
  std::vector<uint8_t> row_codes(static_cast<size_t>(columns + kRowPadding)), row_zero_points(static_cast<size_t>(groups));
  std::vector<float> row_scales(static_cast<size_t>(groups));
  ErrorSums sums;
  for (int64_t row = 0; row < rows; ++row) {
    widen_to_f32(source, (first_row + row) * columns, columns, row_values.data());
    PHISCOPE_TRY(check_finite(row_values.data(), columns, first_row + row));
    const int64_t refused = quantize_row(row_values.data(), columns, encoding, method,
                                         {row_codes.data(), row_scales.data(), row_zero_points.data()}, &sums);
    if (refused >= 0)
      return fail(ErrorCode::unsupported, "row {} needs a scale beyond f16's largest 65504 in the group at column {}; keep this tensor in bf16",
                  first_row + row, refused * encoding.group);
    pack_codes(row_codes.data(), columns, encoding.bits, codes + row * static_cast<int64_t>(encoding.code_bytes_per_row(columns)));
    store_scales(row_scales.data(), groups, encoding.scale_type,
                 scales + row * groups * static_cast<int64_t>(dtype_bytes(encoding.scale_type)));
    if (encoding.offset == OffsetClass::zero_point)
      std::memcpy(zero_points + row * groups, row_zero_points.data(), static_cast<size_t>(groups));
  }
  return sums;
}

Result<ErrorSums> encode_float(const TensorView& source, int64_t first_row, int64_t rows, DType type, std::byte* out) {
  const int64_t columns = source.columns();
  const auto row_bytes = static_cast<size_t>(columns) * dtype_bytes(type);
  const bool is_exact = type == source.dtype || type == DType::f32;
  std::vector<float> wide(static_cast<size_t>(columns + kRowPadding)), stored(static_cast<size_t>(columns + kRowPadding));
  ErrorSums sums;
  for (int64_t row = 0; row < rows; ++row) {
    std::byte* target = out + static_cast<size_t>(row) * row_bytes;
    widen_to_f32(source, (first_row + row) * columns, columns, wide.data());
    PHISCOPE_TRY(check_finite(wide.data(), columns, first_row + row));
    narrow_from_f32(wide.data(), columns, type, target);
    sums.elements += is_exact ? columns : 0;
    if (is_exact) continue;
    widen_to_f32({.dtype = type, .shape = {columns}, .data = target}, 0, columns, stored.data());
    if (non_finite(stored.data(), columns) != 0) {
      const int64_t column = std::find_if(stored.begin(), stored.end(), [](float v) { return !std::isfinite(v); }) - stored.begin();
      return fail(ErrorCode::unsupported, "the value {} at row {}, column {} is beyond the largest {}; use bf16 or fp32 for this tensor",
                  wide[static_cast<size_t>(column)], first_row + row, column, dtype_name(type));
    }
    add_errors(wide.data(), stored.data(), columns, &sums);
  }
  return sums;
}

Result<ErrorSums> encode_block_rows(const TensorView& source, int64_t first_row, int64_t rows, BlockType type, std::byte* out) {
  const int64_t columns = source.columns();
  const uint64_t row_bytes = block_row_bytes(type, columns);
  std::vector<float> values(static_cast<size_t>(columns + kRowPadding)), stored(static_cast<size_t>(columns + kRowPadding));
  ErrorSums sums;
  for (int64_t row = 0; row < rows; ++row) {
    std::byte* target = out + static_cast<uint64_t>(row) * row_bytes;
    widen_to_f32(source, (first_row + row) * columns, columns, values.data());
    PHISCOPE_TRY(check_finite(values.data(), columns, first_row + row));
    const int64_t refused = encode_blocks(type, values.data(), columns, target);
    if (refused >= 0)
      return fail(ErrorCode::unsupported, "row {} needs a scale beyond f16's largest 65504 in the {} block at column {}; keep this tensor in bf16",
                  first_row + row, block_layout(type).name, refused * block_layout(type).values);
    dequantize_blocks(type, target, columns, stored.data());
    add_errors(values.data(), stored.data(), columns, &sums);
  }
  return sums;
}

/// Where rows go, as quantize_rows takes it.
struct Target {
  std::byte* codes;
  std::byte* scales;
  uint8_t* zero_points;
};

Result<ErrorSums> encode_rows(const TensorView& source, int64_t first_row, int64_t rows, const WeightEncoding& encoding,
                              QuantMethod method, const Target& target) {
  if (encoding.is_blocks()) return encode_block_rows(source, first_row, rows, encoding.block, target.codes);
  if (encoding.is_floating()) return encode_float(source, first_row, rows, encoding.float_type, target.codes);
  return encode_integer(source, first_row, rows, encoding, method, target.codes, target.scales, target.zero_points);
}

/// What several threads share while they take blocks of rows.
struct Blocks {
  int64_t first_row, rows, rows_per_block, count;
  std::atomic<int64_t> next{0};
  std::vector<ErrorSums> sums;  // added in the order of blocks, so that the total does not depend on the threads
  std::mutex mutex;
  std::optional<std::pair<int64_t, Error>> first_error;  // of the lowest block that failed
};

void encode_blocks(const TensorView& source, const WeightEncoding& encoding, QuantMethod method, const Target& target, Blocks* blocks) {
  const auto code_bytes = static_cast<int64_t>(encoding.code_bytes_per_row(source.columns()));
  const int64_t groups = encoding.groups(source.columns());
  const auto scale_bytes = groups * static_cast<int64_t>(dtype_bytes(encoding.scale_type));
  const bool has_zero_points = encoding.is_integer() && encoding.offset == OffsetClass::zero_point;
  for (int64_t block = blocks->next++; block < blocks->count; block = blocks->next++) {
    const int64_t first = block * blocks->rows_per_block;
    const int64_t rows = std::min(blocks->rows_per_block, blocks->rows - first);
    const Target part{target.codes + first * code_bytes, encoding.is_integer() ? target.scales + first * scale_bytes : nullptr,
                      has_zero_points ? target.zero_points + first * groups : nullptr};
    auto sums = encode_rows(source, blocks->first_row + first, rows, encoding, method, part);
    if (sums.has_value()) {
      blocks->sums[static_cast<size_t>(block)] = *sums;
      continue;
    }
    const std::scoped_lock lock(blocks->mutex);
    if (!blocks->first_error || block < blocks->first_error->first) blocks->first_error = {block, sums.error()};
    blocks->next = blocks->count;
  }
}

}  // namespace

std::string_view method_name(QuantMethod method) { return kMethods[static_cast<size_t>(method)].name; }

std::optional<QuantMethod> method_from_name(std::string_view name) {
  for (const MethodRow& row : kMethods)
    if (row.name == name) return row.method;
  return std::nullopt;
}

void ErrorSums::add(const ErrorSums& other) {
  squared_error += other.squared_error;
  squared_value += other.squared_value;
  max_abs_error = std::max(max_abs_error, other.max_abs_error);
  elements += other.elements;
}

QuantError ErrorSums::finish() const {
  QuantError error;
  error.mse = elements == 0 ? 0 : squared_error / static_cast<double>(elements);
  error.sqnr_db = squared_error == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(squared_value / squared_error);
  error.max_abs_error = max_abs_error;
  return error;
}

WeightView EncodedMatrix::view() const {
  return {encoding, rows, columns, codes.data(), scales.data(), zero_points.empty() ? nullptr : zero_points.data()};
}

Result<ErrorSums> quantize_rows(const TensorView& source, int64_t first_row, int64_t rows, const WeightEncoding& encoding,
                                QuantMethod method, std::byte* codes, std::byte* scales, uint8_t* zero_points, int threads) {
  PHISCOPE_TRY(check(source, first_row, rows, encoding));
  constexpr int64_t kElementsPerBlock = 1 << 18;  // a few milliseconds of clip search, a fraction of one with round to nearest
  const int64_t rows_per_block = std::max<int64_t>(1, kElementsPerBlock / std::max<int64_t>(1, source.columns()));
  Blocks blocks{.first_row = first_row, .rows = rows, .rows_per_block = rows_per_block,
                .count = (rows + rows_per_block - 1) / rows_per_block, .next = 0, .sums = {}, .mutex = {}, .first_error = {}};
  blocks.sums.resize(static_cast<size_t>(blocks.count));
  const Target target{codes, scales, zero_points};
  std::vector<std::jthread> helpers;
  for (int64_t i = 1; i < std::min<int64_t>(threads, blocks.count); ++i)
    helpers.emplace_back([&] { encode_blocks(source, encoding, method, target, &blocks); });
  encode_blocks(source, encoding, method, target, &blocks);
  helpers.clear();  // joins

  if (blocks.first_error) return fail(std::move(blocks.first_error->second));
  ErrorSums total;
  for (const ErrorSums& sums : blocks.sums) total.add(sums);
  return total;
}

Result<EncodedMatrix> quantize_matrix(const TensorView& source, const WeightEncoding& encoding, QuantMethod method, int threads,
                                      QuantError* error) {
  EncodedMatrix matrix{.encoding = encoding, .rows = source.rows(), .columns = source.columns(), .codes = {}, .scales = {}, .zero_points = {}};
  PHISCOPE_TRY(check(source, 0, matrix.rows, encoding));
  const auto groups = static_cast<size_t>(matrix.rows * encoding.groups(matrix.columns));
  matrix.codes.resize(static_cast<size_t>(matrix.rows) * encoding.code_bytes_per_row(matrix.columns));
  matrix.scales.resize(groups * dtype_bytes(encoding.scale_type));
  if (encoding.is_integer() && encoding.offset == OffsetClass::zero_point) matrix.zero_points.resize(groups);
  PHISCOPE_ASSIGN(const ErrorSums sums, quantize_rows(source, 0, matrix.rows, encoding, method, matrix.codes.data(), matrix.scales.data(),
                                                      matrix.zero_points.data(), threads));
  if (error != nullptr) *error = sums.finish();
  return matrix;
}

}  // namespace phiscope
