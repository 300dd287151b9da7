#include "backends/cpu/packed_weights.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/file_blocks.h"

namespace phiscope::cpu {
namespace {

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/// Packs floats of `Element` bytes; `step` columns of a row lie side by side.
template <class Element>
void pack_floats(const WeightView& weight, const PackedMatrix& shape, int64_t block, int64_t step, std::byte* out) {
  auto* to = reinterpret_cast<Element*>(out);
  const auto* from = reinterpret_cast<const Element*>(weight.codes);
  const int64_t rows = std::min<int64_t>(kBlockRows, shape.rows - block * kBlockRows);
  if (rows < kBlockRows || shape.group_padded != shape.columns) std::memset(out, 0, static_cast<size_t>(shape.block_bytes));
  constexpr int64_t kTile = 64;  // columns at a time: the 32 rows' lines stay in the first-level cache
  for (int64_t first = 0; first < shape.columns; first += kTile) {
    const int64_t last = std::min(first + kTile, shape.columns);
    for (int64_t row = 0; row < rows; ++row) {
      const Element* source = from + (block * kBlockRows + row) * shape.columns;
      for (int64_t k = first; k < last; ++k) to[(k / step * kBlockRows + row) * step + k % step] = source[k];
    }
  }
}

void pack_header(const WeightView& weight, const PackedMatrix& shape, int64_t block, int64_t group, int64_t rows, std::byte* out) {
  const size_t scale_bytes = shape.has_f32_scales ? 4 : 2;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = (block * kBlockRows + row) * shape.groups + group;
    std::memcpy(out + static_cast<size_t>(row) * scale_bytes, weight.scales + static_cast<size_t>(at) * scale_bytes, scale_bytes);
    if (shape.has_zero_points) out[kBlockRows * scale_bytes + static_cast<size_t>(row)] = static_cast<std::byte>(weight.zero_points[at]);
  }
}

/// Codes of one group and row as one byte each, padded with zeros.
void unpack_codes(const WeightView& weight, int64_t row, int64_t first, int64_t count, uint8_t* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(weight.codes) + static_cast<uint64_t>(row) * weight.encoding.code_bytes_per_row(weight.columns);
  if (weight.encoding.bits == 8) {
    std::memcpy(out, bytes + first, static_cast<size_t>(count));
    return;
  }
  int64_t i = 0;
  if (first % 2 == 0) {
    for (; i + 1 < count; i += 2) {
      const uint8_t pair = bytes[(first + i) / 2];
      out[i] = pair & 15;
      out[i + 1] = static_cast<uint8_t>(pair >> 4);
    }
  }
  for (; i < count; ++i) out[i] = bytes[(first + i) / 2] >> (4 * ((first + i) % 2)) & 15;
}

void pack_integers(const WeightView& weight, const PackedMatrix& shape, int64_t block, std::byte* out) {
  const int64_t rows = std::min<int64_t>(kBlockRows, shape.rows - block * kBlockRows);
  const int64_t header = shape.group_bytes - shape.group_padded * kBlockRows * (shape.kind == PackedKind::q4 ? 1 : 2) / 2;
  constexpr int64_t kTile = 256;
  uint8_t codes[kTile];
  std::memset(out, 0, static_cast<size_t>(shape.block_bytes));
  for (int64_t group = 0; group < shape.groups; ++group) {
    std::byte* to = out + group * shape.group_bytes;
    pack_header(weight, shape, block, group, rows, to);
    auto* lines = reinterpret_cast<uint8_t*>(to + header);
    const int64_t begin = group * shape.group, end = std::min(begin + shape.group, shape.columns);
    for (int64_t first = begin; first < end; first += kTile) {
      const int64_t count = std::min(kTile, end - first), padded = round_up(count, 8);
      for (int64_t row = 0; row < rows; ++row) {
        unpack_codes(weight, block * kBlockRows + row, first, count, codes);
        std::memset(codes + count, 0, static_cast<size_t>(padded - count));
        if (shape.kind == PackedKind::q8) {
          uint8_t* line = lines + (first - begin) / 4 * 4 * kBlockRows + row * 4;
          for (int64_t k = 0; k < padded; k += 4, line += 4 * kBlockRows) std::memcpy(line, codes + k, 4);
        } else {
          uint8_t* line = lines + (first - begin) / 8 * 4 * kBlockRows + row * 4;
          for (int64_t k = 0; k < padded; k += 8, line += 4 * kBlockRows) {
            uint32_t low, high;
            std::memcpy(&low, codes + k, 4);
            std::memcpy(&high, codes + k + 4, 4);
            low |= high << 4;
            std::memcpy(line, &low, 4);
          }
        }
      }
    }
  }
}

}  // namespace

Result<PackedMatrix> packed_shape(const WeightEncoding& encoding, int64_t rows, int64_t columns) {
  if (encoding.is_blocks()) return file_blocks_shape(encoding.block, rows, columns);
  PackedMatrix shape{};
  shape.rows = rows;
  shape.columns = columns;
  shape.blocks = (rows + kBlockRows - 1) / kBlockRows;
  int64_t header = 0, bits = 0;
  if (encoding.is_integer()) {
    if (encoding.bits != 4 && encoding.bits != 8) {
      return fail(ErrorCode::unsupported, "the CPU backend has no kernels for {} weights; it has 4 and 8 bits", encoding.name());
    }
    if (encoding.scale_type != DType::f16 && encoding.scale_type != DType::f32) {
      return fail(ErrorCode::unsupported, "the CPU backend has no kernels for {} weights; scales must be f16 or f32", encoding.name());
    }
    shape.kind = encoding.bits == 4 ? PackedKind::q4 : PackedKind::q8;
    bits = encoding.bits;
    shape.has_f32_scales = encoding.scale_type == DType::f32;
    shape.has_zero_points = encoding.offset == OffsetClass::zero_point;
    header = kBlockRows * ((shape.has_f32_scales ? 4 : 2) + (shape.has_zero_points ? 1 : 0));
    shape.group = encoding.group == 0 ? columns : std::min<int64_t>(encoding.group, columns);
    shape.group_padded = round_up(shape.group, 8);
  } else {
    switch (encoding.float_type) {
      case DType::f32: shape.kind = PackedKind::f32; break;
      case DType::f16: shape.kind = PackedKind::f16; break;
      case DType::bf16: shape.kind = PackedKind::bf16; break;
      default:
        return fail(ErrorCode::unsupported, "the CPU backend has no kernels for {} weights; it has f32, f16 and bf16", encoding.name());
    }
    bits = 8 * static_cast<int64_t>(dtype_bytes(encoding.float_type));
    shape.group = columns;
    shape.group_padded = round_up(columns, 4);
  }
  shape.groups = (columns + shape.group - 1) / shape.group;
  shape.padded_columns = shape.groups * shape.group_padded;
  shape.group_bytes = header + shape.group_padded * kBlockRows * bits / 8;
  shape.block_bytes = shape.groups * shape.group_bytes;
  return shape;
}

void pack_blocks(const WeightView& weight, const PackedMatrix& shape, int64_t first, int64_t last, std::byte* out) {
  for (int64_t block = first; block < last; ++block) {
    std::byte* to = out + block * shape.block_bytes;
    if (shape.is_file_blocks) {
      pack_file_blocks(weight, shape, block, to);
      continue;
    }
    switch (shape.kind) {
      case PackedKind::f32: pack_floats<uint32_t>(weight, shape, block, 1, to); break;
      case PackedKind::f16: pack_floats<uint16_t>(weight, shape, block, 1, to); break;
      case PackedKind::bf16: pack_floats<uint16_t>(weight, shape, block, 2, to); break;
      case PackedKind::q8:
      case PackedKind::q4: pack_integers(weight, shape, block, to); break;
      default: break;  // file blocks, above
    }
  }
}

bool can_run_dynamic(const PackedMatrix& shape) {
  if (shape.is_file_blocks || (shape.kind != PackedKind::q8 && shape.kind != PackedKind::q4)) return false;
  if (shape.groups == 1) return true;
  return shape.group % 8 == 0 && (shape.group % kQuantGroup == 0 || kQuantGroup % shape.group == 0);
}

bool runs_fixed_point(const PackedMatrix& shape) {
  if (!shape.is_file_blocks) return shape.kind == PackedKind::q4;
  return shape.kind != PackedKind::q8 && shape.kind != PackedKind::iq4_nl && shape.kind != PackedKind::iq4_xs;
}

int64_t packed_segments(const PackedMatrix& shape) { return shape.groups * ((shape.group_padded + kQuantGroup - 1) / kQuantGroup); }

int64_t packed_code_columns(const PackedMatrix& shape) {
  const int64_t width = std::min<int64_t>(shape.group_padded, kQuantGroup);
  return packed_segments(shape) * round_up(width, width <= 32 ? 32 : 64);
}

}  // namespace phiscope::cpu
