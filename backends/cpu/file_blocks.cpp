#include "backends/cpu/file_blocks.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/quant/blocks.h"

namespace phiscope::cpu {
namespace {

constexpr int kRunColumns = 32;
constexpr int64_t kLineBytes = int64_t{4} * kBlockRows;

/// Nibbles of 16 bytes: value l low, value l + 16 high.
void nibbles(const uint8_t* bytes, uint8_t* codes) {
  for (int l = 0; l < 16; ++l) {
    codes[l] = bytes[l] & 15;
    codes[l + 16] = bytes[l] >> 4;
  }
}
/// Bit l of four bytes as the fifth bit of value l.
void fifth_bits(const uint8_t* bytes, uint8_t* codes) {
  for (int l = 0; l < 32; ++l) codes[l] = static_cast<uint8_t>(codes[l] | (bytes[l / 8] >> (l % 8) & 1) << 4);
}

// Unsigned codes of run number `run` of one block, as core/quant/block_runs.inc reads them.
void codes_q4_0(const uint8_t* block, int, uint8_t* codes) { nibbles(block + 2, codes); }
void codes_q4_1(const uint8_t* block, int, uint8_t* codes) { nibbles(block + 4, codes); }
void codes_q5_0(const uint8_t* block, int, uint8_t* codes) {
  nibbles(block + 6, codes);
  fifth_bits(block + 2, codes);
}
void codes_q5_1(const uint8_t* block, int, uint8_t* codes) {
  nibbles(block + 8, codes);
  fifth_bits(block + 4, codes);
}
void codes_q8_0(const uint8_t* block, int, uint8_t* codes) {
  for (int l = 0; l < 32; ++l) codes[l] = block[2 + l] ^ 0x80;
}
void codes_q2_k(const uint8_t* block, int run, uint8_t* codes) {
  const uint8_t* from = block + 16 + run / 4 * 32;
  for (int l = 0; l < 32; ++l) codes[l] = from[l] >> (2 * (run % 4)) & 3;
}
void codes_q3_k(const uint8_t* block, int run, uint8_t* codes) {
  const uint8_t* from = block + 32 + run / 4 * 32;
  for (int l = 0; l < 32; ++l) codes[l] = static_cast<uint8_t>((from[l] >> (2 * (run % 4)) & 3) | (block[l] >> run & 1) << 2);
}
void codes_q4_k(const uint8_t* block, int run, uint8_t* codes) {
  const uint8_t* from = block + 16 + run / 2 * 32;
  for (int l = 0; l < 32; ++l) codes[l] = from[l] >> (4 * (run % 2)) & 15;
}
void codes_q5_k(const uint8_t* block, int run, uint8_t* codes) {
  const uint8_t *high = block + 16, *from = block + 48 + run / 2 * 32;
  for (int l = 0; l < 32; ++l) codes[l] = static_cast<uint8_t>((from[l] >> (4 * (run % 2)) & 15) | (high[l] >> run & 1) << 4);
}
void codes_q6_k(const uint8_t* block, int run, uint8_t* codes) {
  const int half = run / 4, q = run % 4;
  const uint8_t *low = block + 64 * half + 32 * (q % 2), *high = block + 128 + 32 * half;
  for (int l = 0; l < 32; ++l) codes[l] = static_cast<uint8_t>((low[l] >> (4 * (q / 2)) & 15) | (high[l] >> (2 * q) & 3) << 4);
}
void codes_iq4_xs(const uint8_t* block, int run, uint8_t* codes) { nibbles(block + 8 + 16 * run, codes); }

/// Bytes of a block's header: `count` units of `bytes` from `offset` on.
struct HeaderPart {
  int offset, bytes, count;
};
// In the order of BlockType's enumerators. The parts of a header are in the order of the packed header: halves, then planes.
struct FileBlockRow {
  PackedKind kind;
  int bits, part_columns;  // columns that share a scale
  std::array<HeaderPart, 2> header;
  void (*codes)(const uint8_t* block, int run, uint8_t* codes);
};
constexpr std::array<FileBlockRow, 12> kRows{{
    {PackedKind::q4, 4, 32, {{{0, 2, 1}}}, codes_q4_0},
    {PackedKind::q4_1, 4, 32, {{{0, 2, 2}}}, codes_q4_1},
    {PackedKind::q5_0, 5, 32, {{{0, 2, 1}}}, codes_q5_0},
    {PackedKind::q5_1, 5, 32, {{{0, 2, 2}}}, codes_q5_1},
    {PackedKind::q8, 8, 32, {{{0, 2, 1}}}, codes_q8_0},
    {PackedKind::q2_k, 2, 16, {{{80, 2, 2}, {0, 1, 16}}}, codes_q2_k},
    {PackedKind::q3_k, 3, 16, {{{108, 2, 1}, {96, 1, 12}}}, codes_q3_k},
    {PackedKind::q4_k, 4, 32, {{{0, 2, 2}, {4, 1, 12}}}, codes_q4_k},
    {PackedKind::q5_k, 5, 32, {{{0, 2, 2}, {4, 1, 12}}}, codes_q5_k},
    {PackedKind::q6_k, 6, 16, {{{208, 2, 1}, {192, 1, 16}}}, codes_q6_k},
    {PackedKind::iq4_nl, 4, 32, {{{0, 2, 1}}}, codes_q4_0},
    {PackedKind::iq4_xs, 4, 32, {{{0, 2, 1}, {2, 1, 6}}}, codes_iq4_xs},
}};

const FileBlockRow& row_of(BlockType type) { return kRows[static_cast<size_t>(type) - 1]; }

std::byte* pack_header(const FileBlockRow& row, const uint8_t* block, int64_t lane, std::byte* out) {
  for (const HeaderPart& part : row.header) {
    for (int i = 0; i < part.count; ++i, out += static_cast<int64_t>(part.bytes) * kBlockRows)
      std::memcpy(out + lane * part.bytes, block + part.offset + i * part.bytes, static_cast<size_t>(part.bytes));
  }
  return out;
}

uint32_t word_of(const uint8_t* codes, int quad) {
  uint32_t word = 0;
  std::memcpy(&word, codes + 4 * quad, 4);
  return word;
}

/// One row's lines of a run; `low` has the codes.
void pack_run(int bits, const uint8_t* codes, int64_t lane, std::byte* out) {
  std::array<uint32_t, 8> words{};
  size_t lines = 0;
  if (bits == 8)
    for (int t = 0; t < 8; ++t) words[lines++] = word_of(codes, t);
  const int low_bits = bits == 8 ? 0 : bits < 4 ? 2 : 4;
  if (low_bits == 4)
    for (int t = 0; t < 8; t += 2) words[lines++] = (word_of(codes, t) & 0x0f0f0f0fu) | (word_of(codes, t + 1) & 0x0f0f0f0fu) << 4;
  if (bits == 6 || low_bits == 2) {
    const int shift = bits == 6 ? 4 : 0;
    for (int h = 0; h < 2; ++h, ++lines)
      for (int u = 0; u < 4; ++u) words[lines] |= (word_of(codes, 4 * h + u) >> shift & 0x03030303u) << (2 * u);
  }
  if (bits == 3 || bits == 5) {
    for (int t = 0; t < 8; ++t) words[lines] |= (word_of(codes, t) >> (bits - 1) & 0x01010101u) << t;
    ++lines;
  }
  for (size_t line = 0; line < lines; ++line) std::memcpy(out + static_cast<int64_t>(line) * kLineBytes + lane * 4, &words[line], 4);
}

}  // namespace

PackedMatrix file_blocks_shape(BlockType type, int64_t rows, int64_t columns) {
  const FileBlockRow& row = row_of(type);
  PackedMatrix shape{};
  shape.kind = row.kind;
  shape.is_file_blocks = true;
  shape.rows = rows;
  shape.columns = shape.padded_columns = columns;
  shape.blocks = (rows + kBlockRows - 1) / kBlockRows;
  shape.group = shape.group_padded = row.part_columns;
  shape.groups = columns / row.part_columns;
  shape.block_bytes = static_cast<int64_t>(block_row_bytes(type, columns)) * kBlockRows;
  shape.group_bytes = shape.block_bytes / shape.groups;
  return shape;
}

void pack_file_blocks(const WeightView& weight, const PackedMatrix& shape, int64_t block, std::byte* out) {
  const BlockType type = weight.encoding.block;
  const FileBlockRow& row = row_of(type);
  const BlockLayout& layout = block_layout(type);
  const auto row_bytes = static_cast<int64_t>(block_row_bytes(type, weight.columns));
  const int64_t pieces = weight.columns / layout.values, piece_bytes = int64_t{layout.bytes} * kBlockRows;
  const int64_t rows = std::min<int64_t>(kBlockRows, shape.rows - block * kBlockRows);
  if (rows < kBlockRows) std::memset(out, 0, static_cast<size_t>(shape.block_bytes));
  for (int64_t piece = 0; piece < pieces; ++piece) {
    for (int64_t lane = 0; lane < rows; ++lane) {
      const auto* from = reinterpret_cast<const uint8_t*>(weight.codes) + (block * kBlockRows + lane) * row_bytes + piece * layout.bytes;
      std::byte* to = pack_header(row, from, lane, out + piece * piece_bytes);
      for (int run = 0; run < layout.values / kRunColumns; ++run, to += row.bits * kLineBytes) {
        uint8_t codes[kRunColumns];
        row.codes(from, run, codes);
        pack_run(row.bits, codes, lane, to);
      }
    }
  }
}

}  // namespace phiscope::cpu
