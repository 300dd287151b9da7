#include "core/quant/exact_blocks.h"

#include <cstring>

#include "core/quant/blocks.h"

namespace phiscope {
namespace {

constexpr int kValues = 32, kScaleBytes = 2;

// Two codes a byte, neighbours together -> value l low, value l + 16 high.
void copy_q4_0(const uint8_t* codes, uint8_t* out) {
  for (int i = 0; i < 8; ++i) {
    const int low = codes[i], high = codes[i + 8];
    out[2 * i] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
    out[2 * i + 1] = static_cast<uint8_t>(low >> 4 | (high >> 4) << 4);
  }
}

// Unsigned around 128 -> signed.
void copy_q8_0(const uint8_t* codes, uint8_t* out) {
  for (int i = 0; i < kValues; ++i) out[i] = codes[i] ^ 0x80;
}

}  // namespace

BlockType exact_block_type(const WeightEncoding& encoding, int64_t columns) {
  if (encoding.is_blocks()) return encoding.block;
  const bool fits = encoding.is_integer() && encoding.offset == OffsetClass::symmetric && encoding.scale_type == DType::f16 &&
                    encoding.group % kValues == 0 && columns % kValues == 0;
  if (!fits) return BlockType::none;
  return encoding.bits == 4 ? BlockType::q4_0 : BlockType::q8_0;
}

void copy_to_blocks(const WeightView& weight, int64_t first_row, int64_t rows, std::byte* out) {
  const WeightEncoding& encoding = weight.encoding;
  const int64_t groups = encoding.groups(weight.columns);
  const uint64_t row_bytes = encoding.code_bytes_per_row(weight.columns);
  const int block_codes = kValues * encoding.bits / 8;
  auto* block = reinterpret_cast<uint8_t*>(out);
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    const auto* codes = reinterpret_cast<const uint8_t*>(weight.codes) + static_cast<uint64_t>(row) * row_bytes;
    for (int64_t column = 0; column < weight.columns; column += kValues, codes += block_codes) {
      const int64_t group = encoding.group == 0 ? 0 : column / encoding.group;
      std::memcpy(block, weight.scales + static_cast<size_t>((row * groups + group) * kScaleBytes), kScaleBytes);
      (encoding.bits == 4 ? copy_q4_0 : copy_q8_0)(codes, block + kScaleBytes);
      block += kScaleBytes + block_codes;
    }
  }
}

}  // namespace phiscope
