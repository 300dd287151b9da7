// Blocks of 32 with one scale: round to nearest, bit for bit as ggml's reference encoders and the gguf package (no fused multiply-add;
// codes come from the scale before it is rounded to half). To find better codes of class Q4_0, make an artifact with the int4 recipe and
// export that: its codes are copied.

#include "core/quant/block_encoders.h"

#include <cfloat>
#include <cmath>

#include "core/quant/lanes.h"
#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

using namespace lanes;

constexpr int64_t kValues = 32;
constexpr int kVectors = 4;  // of eight

PHISCOPE_LOOP bool store_half(float value, uint8_t* out) {
  const uint16_t half = f32_to_f16(value);
  std::memcpy(out, &half, sizeof(half));
  return (half & 0x7c00) != 0x7c00;
}

/// Zero for zero, and where the inverse is beyond f32 (the scale is then zero as a half, and any code means zero).
PHISCOPE_LOOP float inverse_or_zero(float d) {
  const float inverse = d == 0 ? 0 : 1 / d;
  return std::fabs(inverse) <= FLT_MAX ? inverse : 0;
}

struct Extremes {
  float low, high;
};
PHISCOPE_LOOP Extremes extremes_of(const float* x) {
  Floats low = load(x), high = low;
  for (int i = 1; i < kVectors; ++i) {
    low = smaller(low, load(x + kLanes * i));
    high = larger(high, load(x + kLanes * i));
  }
  return {-largest_of(-low), largest_of(high)};
}

/// The first value of the largest magnitude, with its sign.
PHISCOPE_LOOP float farthest_of(const float* x) {
  const Extremes e = extremes_of(x);
  if (e.high > -e.low) return e.high;
  if (e.high < -e.low) return e.low;
  for (int i = 0; i < kValues; ++i)
    if (std::fabs(x[i]) == e.high) return x[i];
  return 0;
}

/// Codes of 32 values, one a byte: trunc((x - offset) * inverse + bias), at most `highest`.
PHISCOPE_LOOP void truncated_codes(const float* x, float offset, float inverse, float bias, int highest, uint8_t* codes) {
  for (int i = 0; i < kVectors; ++i) {
    const Floats scaled = (load(x + kLanes * i) - offset) * inverse + bias;
    const Ints q = __builtin_convertvector(smaller(scaled, splat(static_cast<float>(highest))), Ints);
    const Bytes bytes = __builtin_convertvector(q, Bytes);
    std::memcpy(codes + kLanes * i, &bytes, sizeof(bytes));
  }
}

PHISCOPE_LOOP void pack_nibbles(const uint8_t* codes, uint8_t* out) {
  for (int i = 0; i < 16; ++i) out[i] = static_cast<uint8_t>((codes[i] & 15) | codes[i + 16] << 4);
}

PHISCOPE_LOOP void pack_fifth_bits(const uint8_t* codes, uint8_t* out) {
  uint32_t bits = 0;
  for (int i = 0; i < kValues; ++i) bits |= static_cast<uint32_t>(codes[i] >> 4) << i;
  std::memcpy(out, &bits, sizeof(bits));
}

PHISCOPE_LOOP bool block_q4_0(const float* x, uint8_t* out) {
  const float d = farthest_of(x) / -8;
  uint8_t codes[kValues];
  truncated_codes(x, 0, inverse_or_zero(d), 8.5f, 15, codes);
  pack_nibbles(codes, out + 2);
  return store_half(d, out);
}

PHISCOPE_LOOP bool block_q4_1(const float* x, uint8_t* out) {
  const Extremes e = extremes_of(x);
  const float d = (e.high - e.low) / 15;
  uint8_t codes[kValues];
  truncated_codes(x, e.low, inverse_or_zero(d), 0.5f, 15, codes);
  pack_nibbles(codes, out + 4);
  return store_half(d, out) & store_half(e.low, out + 2);
}

PHISCOPE_LOOP bool block_q5_0(const float* x, uint8_t* out) {
  const float d = farthest_of(x) / -16;
  uint8_t codes[kValues];
  truncated_codes(x, 0, inverse_or_zero(d), 16.5f, 31, codes);
  pack_fifth_bits(codes, out + 2);
  pack_nibbles(codes, out + 6);
  return store_half(d, out);
}

PHISCOPE_LOOP bool block_q5_1(const float* x, uint8_t* out) {
  const Extremes e = extremes_of(x);
  const float d = (e.high - e.low) / 31;
  uint8_t codes[kValues];
  truncated_codes(x, e.low, inverse_or_zero(d), 0.5f, 31, codes);
  pack_fifth_bits(codes, out + 4);
  pack_nibbles(codes, out + 8);
  return store_half(d, out) & store_half(e.low, out + 2);
}

// Half away from zero: adding 0.5 before truncating would round 0.49999997 up.
PHISCOPE_LOOP bool block_q8_0(const float* x, uint8_t* out) {
  const Extremes e = extremes_of(x);
  const float d = std::fabs(std::max(e.high, -e.low)) / 127, inverse = inverse_or_zero(d);
  for (int i = 0; i < kVectors; ++i) {
    const Floats scaled = load(x + kLanes * i) * inverse;
    const Ints whole = __builtin_convertvector(scaled, Ints);
    const Floats rest = scaled - __builtin_convertvector(whole, Floats);  // exact
    const Ints up = rest >= 0.5f, down = rest <= -0.5f;                   // all bits set where true
    const Bytes bytes = __builtin_convertvector(whole - up + down, Bytes);
    std::memcpy(out + 2 + kLanes * i, &bytes, sizeof(bytes));
  }
  return store_half(d, out);
}

template <auto kBlock, int kBytes>
PHISCOPE_LOOP int64_t each_block(const float* row, int64_t columns, uint8_t* out) {
  for (int64_t block = 0; block < columns / kValues; ++block)
    if (!kBlock(row + block * kValues, out + block * kBytes)) return block;
  return -1;
}

#define PHISCOPE_ROW_ENCODER(name, bytes)                                                                                             \
  PHISCOPE_MULTIVERSION_RETURNING(int64_t, name##_row, (each_block<block_##name, bytes>), (const float* row, int64_t columns, uint8_t* out), \
                                  (row, columns, out))
PHISCOPE_ROW_ENCODER(q4_0, 18);
PHISCOPE_ROW_ENCODER(q4_1, 20);
PHISCOPE_ROW_ENCODER(q5_0, 22);
PHISCOPE_ROW_ENCODER(q5_1, 24);
PHISCOPE_ROW_ENCODER(q8_0, 34);
#undef PHISCOPE_ROW_ENCODER

}  // namespace

int64_t encode_q4_0(const float* row, int64_t columns, uint8_t* out) { return q4_0_row(row, columns, out); }
int64_t encode_q4_1(const float* row, int64_t columns, uint8_t* out) { return q4_1_row(row, columns, out); }
int64_t encode_q5_0(const float* row, int64_t columns, uint8_t* out) { return q5_0_row(row, columns, out); }
int64_t encode_q5_1(const float* row, int64_t columns, uint8_t* out) { return q5_1_row(row, columns, out); }
int64_t encode_q8_0(const float* row, int64_t columns, uint8_t* out) { return q8_0_row(row, columns, out); }

}  // namespace phiscope
