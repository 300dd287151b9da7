#include "core/quant/weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/quant/blocks.h"
#include "core/tensor/multiversion.h"

namespace phiscope {
namespace {

template <class T>
T load(const std::byte* from, int64_t index) {
  T value;
  std::memcpy(&value, from + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

/// The code that stands for zero.
int zero_code(const WeightView& weight, int64_t row, int64_t group) {
  if (weight.encoding.offset == OffsetClass::symmetric) return 1 << (weight.encoding.bits - 1);
  return weight.zero_points[row * weight.encoding.groups(weight.columns) + group];
}

// One group that starts at an even column (or is 8-bit): out = scale * (q - zero).
PHISCOPE_LOOP void dequantize8_loop(const uint8_t* codes, int64_t count, float scale, int32_t zero, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = scale * static_cast<float>(codes[i] - zero);
}
PHISCOPE_MULTIVERSION(dequantize8, dequantize8_loop, (const uint8_t* codes, int64_t count, float scale, int32_t zero, float* out),
                      (codes, count, scale, zero, out));

PHISCOPE_LOOP void dequantize4_loop(const uint8_t* codes, int64_t count, float scale, int32_t zero, float* out) {
  for (int64_t i = 0; i < count / 2; ++i) {
    out[2 * i] = scale * static_cast<float>((codes[i] & 15) - zero);
    out[2 * i + 1] = scale * static_cast<float>((codes[i] >> 4) - zero);
  }
  if (count % 2 != 0) out[count - 1] = scale * static_cast<float>((codes[count / 2] & 15) - zero);
}
PHISCOPE_MULTIVERSION(dequantize4, dequantize4_loop, (const uint8_t* codes, int64_t count, float scale, int32_t zero, float* out),
                      (codes, count, scale, zero, out));

}  // namespace

int64_t WeightEncoding::groups(int64_t columns) const {
  if (!is_integer()) return 0;
  return group == 0 ? 1 : (columns + group - 1) / group;
}

uint64_t WeightEncoding::code_bytes_per_row(int64_t columns) const {
  if (is_blocks()) return block_row_bytes(block, columns);
  const uint64_t bits_per_value = is_integer() ? static_cast<uint64_t>(bits) : 8 * dtype_bytes(float_type);
  return (static_cast<uint64_t>(columns) * bits_per_value + 7) / 8;
}

uint64_t WeightEncoding::bytes(int64_t rows, int64_t columns) const {
  const uint64_t per_group = dtype_bytes(scale_type) + (offset == OffsetClass::zero_point ? 1 : 0);
  return static_cast<uint64_t>(rows) * (code_bytes_per_row(columns) + static_cast<uint64_t>(groups(columns)) * per_group);
}

std::string WeightEncoding::name() const {
  if (is_blocks()) return std::string(block_layout(block).name);
  if (!is_integer()) return std::string(dtype_name(float_type));
  const std::string span = group == 0 ? "row" : fmt::format("g{}", group);
  return fmt::format("int{} {}{} {}-scale", bits, span, offset == OffsetClass::zero_point ? " zero-point" : "", dtype_name(scale_type));
}

float WeightView::scale(int64_t row, int64_t group) const {
  const int64_t index = row * encoding.groups(columns) + group;
  return encoding.scale_type == DType::f16 ? f16_to_f32(load<uint16_t>(scales, index)) : load<float>(scales, index);
}

int WeightView::code(int64_t row, int64_t column) const {
  const auto* bytes = reinterpret_cast<const uint8_t*>(codes) + static_cast<uint64_t>(row) * encoding.code_bytes_per_row(columns);
  if (encoding.bits == 8) return bytes[column];
  return bytes[column / 2] >> (4 * (column % 2)) & 15;
}

void dequantize_row(const WeightView& weight, int64_t row, float* out) {
  const WeightEncoding& encoding = weight.encoding;
  const uint64_t row_bytes = encoding.code_bytes_per_row(weight.columns);
  const std::byte* codes = weight.codes + static_cast<uint64_t>(row) * row_bytes;
  if (encoding.is_blocks()) return dequantize_blocks(encoding.block, codes, weight.columns, out);
  if (!encoding.is_integer()) {
    widen_to_f32({.dtype = encoding.float_type, .shape = {weight.columns}, .data = codes}, 0, weight.columns, out);
    return;
  }
  const int64_t width = encoding.group == 0 ? weight.columns : encoding.group;
  for (int64_t group = 0, first = 0; first < weight.columns; ++group, first += width) {
    const int64_t count = std::min(width, weight.columns - first);
    const auto* group_codes = reinterpret_cast<const uint8_t*>(codes) + first * encoding.bits / 8;
    const auto dequantize = encoding.bits == 8 ? dequantize8 : dequantize4;
    dequantize(group_codes, count, weight.scale(row, group), zero_code(weight, row, group), out + first);
  }
}

}  // namespace phiscope
