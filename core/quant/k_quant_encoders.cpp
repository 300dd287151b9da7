// Q4_K, Q5_K, Q6_K: blocks of 256 whose sub-blocks have integer scales of one or two halves. Two steps a sub-block, both by exhaustive
// trial with one candidate a lane, so that no sum crosses lanes:
//   1. floats: for each candidate's codes the best scale (and minimum) by least squares; the candidate with the least squared error stays;
//   2. integers: the neighbours of the rounded scale (and minimum), each with its own codes; the pair with the least squared error stays.
// ggml's encoder stops after step 1 and weights its squares by magnitude; here every weight counts the same.

#include <array>
#include <cfloat>
#include <cmath>

#include "core/quant/block_encoders.h"
#include "core/quant/lanes.h"
#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

using namespace lanes;

constexpr int kBlockValues = 256;

PHISCOPE_LOOP Floats rounded(Floats v) { return (v + kRounder) - kRounder; }
PHISCOPE_LOOP Floats clamped(Floats v, float low, float high) { return smaller(larger(v, splat(low)), splat(high)); }

/// Index of the least of 8 * count values; the first of equals.
PHISCOPE_LOOP int least_of(const Floats* values, int count) {
  int best = 0;
  for (int i = 1; i < kLanes * count; ++i) best = values[i / kLanes][i % kLanes] < values[best / kLanes][best % kLanes] ? i : best;
  return best;
}

/// 1 / v, and 0 for 0 and where the inverse is beyond f32.
PHISCOPE_LOOP float inverse_or_zero(float v) {
  const float inverse = v == 0 ? 0 : 1 / v;
  return std::fabs(inverse) <= FLT_MAX ? inverse : 0;
}

// A power of two that brings a block's largest magnitude near 1, so that no square leaves f32's range.
PHISCOPE_LOOP float unit_of(const float* x) {
  float largest = 0;
  for (int i = 0; i < kBlockValues; ++i) largest = std::max(largest, std::fabs(x[i]));
  if (largest == 0) return 1;
  int exponent = 0;
  std::frexp(largest, &exponent);
  return std::ldexp(1.0f, std::clamp(-exponent, -126, 126));
}

/// x = scale * code - minimum, both >= 0.
struct Affine {
  float scale = 0, minimum = 0;
};

constexpr int kSubValues = 32;   // of Q4_K and Q5_K
constexpr int kCandidates = 3;   // vectors of candidates in step 1: 24

/// Least squares per lane. b = x - low >= 0; sums over the sub-block of code, code^2, b code.
struct Sums {
  Floats code{}, squared{}, product{};
};
struct Totals {
  float b = 0, bb = 0, x = 0, xx = 0;
};

PHISCOPE_LOOP void fit_lanes(const Sums& sums, const Totals& totals, float low, Floats& scale, Floats& minimum, Floats& error) {
  const Floats determinant = kSubValues * sums.squared - sums.code * sums.code;
  const Floats safe = determinant > 0 ? determinant : splat(1);
  const Floats free_scale = (kSubValues * sums.product - totals.b * sums.code) / safe;
  const Floats shift = (sums.squared * totals.b - sums.code * sums.product) / safe;
  const Floats free_error = totals.bb - free_scale * sums.product - shift * totals.b;
  // The offset low + shift must not be positive; else it is 0.
  const Floats x_product = sums.product + low * sums.code, squared = sums.squared > 0 ? sums.squared : splat(1);
  const Floats bound_scale = x_product / squared;
  const Floats bound_error = totals.xx - bound_scale * x_product;
  const Ints is_free = (low + shift <= 0) & (determinant > 0);
  scale = is_free ? free_scale : bound_scale;
  minimum = is_free ? -(low + shift) : splat(0);
  error = is_free ? free_error : bound_error;
  error = scale > 0 ? error : splat(FLT_MAX);
}

/// Step 1. `highest` is 15 or 31.
PHISCOPE_LOOP Affine search_affine(const float* x, float highest) {
  float low = 0, high = x[0];
  Totals totals;
  for (int i = 0; i < kSubValues; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  for (int i = 0; i < kSubValues; ++i) {
    const float b = x[i] - low;
    totals.b += b;
    totals.bb += b * b;
    totals.xx += x[i] * x[i];
  }
  if (!(high - low > FLT_MIN)) return {0, -low};
  Floats inverse[kCandidates];
  for (int c = 0; c < kCandidates; ++c)
    for (int lane = 0; lane < kLanes; ++lane)  // the extent becomes highest - 1.5 .. highest + 0.8 steps
      inverse[c][lane] = (highest - 1.5f + 0.1f * static_cast<float>(c * kLanes + lane)) / (high - low);
  Sums sums[kCandidates];
  for (int i = 0; i < kSubValues; ++i) {
    const float b = x[i] - low;
    for (int c = 0; c < kCandidates; ++c) {
      const Floats code = rounded(smaller(b * inverse[c], splat(highest)));
      sums[c].code += code;
      sums[c].squared += code * code;
      sums[c].product += b * code;
    }
  }
  Floats scale[kCandidates], minimum[kCandidates], error[kCandidates];
  for (int c = 0; c < kCandidates; ++c) fit_lanes(sums[c], totals, low, scale[c], minimum[c], error[c]);
  const int best = least_of(error, kCandidates);
  return {scale[best / kLanes][best % kLanes], minimum[best / kLanes][best % kLanes]};
}

/// The two halves of a block and what the integers of its sub-blocks multiply.
struct Scales {
  float d, dmin;
};

// Step 2: scales -1, 0, +1 (and +2, rarely the best) times minima -2 .. +1.
constexpr int kNeighbours = 2;  // vectors: 16
PHISCOPE_LOOP void search_integers(const float* x, float highest, Scales block, Affine fit, uint8_t& scale, uint8_t& minimum) {
  const float near_scale = std::nearbyint(fit.scale * inverse_or_zero(block.d));
  const float near_minimum = std::nearbyint(fit.minimum * inverse_or_zero(block.dmin));
  Floats scales[kNeighbours], minima[kNeighbours], step[kNeighbours], offset[kNeighbours], inverse[kNeighbours];
  for (int c = 0; c < kNeighbours; ++c) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const int i = c * kLanes + lane;
      scales[c][lane] = std::clamp(near_scale + static_cast<float>(i % 4 - 1), 0.0f, 63.0f);
      minima[c][lane] = std::clamp(near_minimum + static_cast<float>(i / 4 - 2), 0.0f, 63.0f);
      inverse[c][lane] = inverse_or_zero(block.d * scales[c][lane]);
    }
    step[c] = block.d * scales[c];
    offset[c] = block.dmin * minima[c];
  }
  Floats error[kNeighbours]{};
  for (int i = 0; i < kSubValues; ++i) {
    for (int c = 0; c < kNeighbours; ++c) {
      const Floats shifted = x[i] + offset[c];
      const Floats difference = rounded(clamped(shifted * inverse[c], 0, highest)) * step[c] - shifted;
      error[c] += difference * difference;
    }
  }
  const int best = least_of(error, kNeighbours);
  scale = static_cast<uint8_t>(scales[best / kLanes][best % kLanes]);
  minimum = static_cast<uint8_t>(minima[best / kLanes][best % kLanes]);
}

PHISCOPE_LOOP void affine_codes(const float* x, float highest, float step, float offset, uint8_t* codes) {
  const float inverse = inverse_or_zero(step);
  for (int i = 0; i < kSubValues; i += kLanes) {
    const Floats q = rounded(clamped((load(x + i) + offset) * inverse, 0, highest));
    const Bytes bytes = __builtin_convertvector(__builtin_convertvector(q, Ints), Bytes);
    std::memcpy(codes + i, &bytes, sizeof(bytes));
  }
}

/// The 12 bytes of eight scales and eight minima of 6 bits.
PHISCOPE_LOOP void pack_scales(const uint8_t* scales, const uint8_t* minima, uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = static_cast<uint8_t>(scales[i] | (scales[i + 4] >> 4) << 6);
    out[i + 4] = static_cast<uint8_t>(minima[i] | (minima[i + 4] >> 4) << 6);
    out[i + 8] = static_cast<uint8_t>((scales[i + 4] & 15) | (minima[i + 4] & 15) << 4);
  }
}

PHISCOPE_LOOP float store_half(float value, uint8_t* out) {
  const uint16_t half = f32_to_f16(value);
  std::memcpy(out, &half, sizeof(half));
  return f16_to_f32(half);
}

/// d, dmin and scales into out[0, 16); one code a byte into codes[256]. False when a half overflows.
PHISCOPE_LOOP bool encode_affine_block(const float* values, float highest, uint8_t* out, uint8_t* codes) {
  constexpr int kSubBlocks = 8;
  const float unit = unit_of(values);
  float x[kBlockValues];
  for (int i = 0; i < kBlockValues; ++i) x[i] = values[i] * unit;
  std::array<Affine, kSubBlocks> fits;
  float largest_scale = 0, largest_minimum = 0;
  for (int i = 0; i < kSubBlocks; ++i) {
    fits[i] = search_affine(x + kSubValues * i, highest);
    largest_scale = std::max(largest_scale, fits[i].scale);
    largest_minimum = std::max(largest_minimum, fits[i].minimum);
  }
  const float d = store_half(largest_scale / 63 / unit, out), dmin = store_half(largest_minimum / 63 / unit, out + 2);
  if (!std::isfinite(d) || !std::isfinite(dmin)) return false;
  const Scales block{d * unit, dmin * unit};
  std::array<uint8_t, kSubBlocks> scales, minima;
  for (int i = 0; i < kSubBlocks; ++i) {
    search_integers(x + kSubValues * i, highest, block, fits[i], scales[i], minima[i]);
    affine_codes(x + kSubValues * i, highest, block.d * scales[i], block.dmin * minima[i], codes + kSubValues * i);
  }
  pack_scales(scales.data(), minima.data(), out + 4);
  return true;
}

/// Run r of 32 bytes: low nibbles = values 64 r .., high nibbles = values 64 r + 32 ...
PHISCOPE_LOOP void pack_runs(const uint8_t* codes, uint8_t* out) {
  for (int run = 0; run < 4; ++run)
    for (int l = 0; l < 32; ++l)
      out[32 * run + l] = static_cast<uint8_t>((codes[64 * run + l] & 15) | (codes[64 * run + 32 + l] & 15) << 4);
}

PHISCOPE_LOOP bool block_q4_k(const float* x, uint8_t* out) {
  uint8_t codes[kBlockValues];
  if (!encode_affine_block(x, 15, out, codes)) return false;
  pack_runs(codes, out + 16);
  return true;
}

PHISCOPE_LOOP bool block_q5_k(const float* x, uint8_t* out) {
  uint8_t codes[kBlockValues];
  if (!encode_affine_block(x, 31, out, codes)) return false;
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int sub_block = 0; sub_block < 8; ++sub_block) bits |= (codes[32 * sub_block + l] >> 4) << sub_block;
    out[16 + l] = static_cast<uint8_t>(bits);
  }
  pack_runs(codes, out + 48);
  return true;
}

constexpr int kSixValues = 16;  // sub-blocks of Q6_K: x = scale * code, code -32 .. 31

/// Step 1: the farthest value becomes -32 (16 candidates) or 31 (8 candidates).
PHISCOPE_LOOP float search_scale(const float* x) {
  float farthest = 0;
  for (int i = 0; i < kSixValues; ++i) farthest = std::fabs(x[i]) > std::fabs(farthest) ? x[i] : farthest;
  if (!(std::fabs(farthest) > FLT_MIN)) return 0;
  Floats inverse[kCandidates], squared[kCandidates]{}, product[kCandidates]{};
  for (int i = 0; i < kCandidates * kLanes; ++i) {
    const float steps = i < 16 ? -(31.2f + 0.12f * static_cast<float>(i)) : 30.6f + 0.15f * static_cast<float>(i - 16);
    inverse[i / kLanes][i % kLanes] = steps / farthest;
  }
  for (int i = 0; i < kSixValues; ++i) {
    for (int c = 0; c < kCandidates; ++c) {
      const Floats code = rounded(clamped(x[i] * inverse[c], -32, 31));
      squared[c] += code * code;
      product[c] += x[i] * code;
    }
  }
  Floats loss[kCandidates];  // the squared error is sum x^2 - product^2 / squared
  for (int c = 0; c < kCandidates; ++c) loss[c] = -product[c] * product[c] / squared[c];
  const int best = least_of(loss, kCandidates);
  return product[best / kLanes][best % kLanes] / squared[best / kLanes][best % kLanes];
}

/// Step 2: scales -3 .. +4 around the rounded one.
PHISCOPE_LOOP int search_integer(const float* x, float d, float fit) {
  const float near_scale = std::nearbyint(fit * inverse_or_zero(d));
  Floats scales, inverse, error{};
  for (int lane = 0; lane < kLanes; ++lane) {
    scales[lane] = std::clamp(near_scale + static_cast<float>(lane - 3), -128.0f, 127.0f);
    inverse[lane] = inverse_or_zero(d * scales[lane]);
  }
  const Floats step = d * scales;
  for (int i = 0; i < kSixValues; ++i) {
    const Floats difference = rounded(clamped(x[i] * inverse, -32, 31)) * step - x[i];
    error += difference * difference;
  }
  return static_cast<int>(scales[least_of(&error, 1)]);
}

PHISCOPE_LOOP bool block_q6_k(const float* values, uint8_t* out) {
  constexpr int kSubBlocks = 16;
  const float unit = unit_of(values);
  float x[kBlockValues], fits[kSubBlocks], largest = 0;
  for (int i = 0; i < kBlockValues; ++i) x[i] = values[i] * unit;
  for (int i = 0; i < kSubBlocks; ++i) {
    fits[i] = search_scale(x + kSixValues * i);
    largest = std::fabs(fits[i]) > std::fabs(largest) ? fits[i] : largest;
  }
  const float stored = store_half(largest / -128 / unit, out + 208), d = stored * unit;
  if (!std::isfinite(stored)) return false;
  uint8_t codes[kBlockValues];
  for (int i = 0; i < kSubBlocks; ++i) {
    const int scale = search_integer(x + kSixValues * i, d, fits[i]);
    const float inverse = inverse_or_zero(d * static_cast<float>(scale));
    out[192 + i] = static_cast<uint8_t>(scale);
    for (int l = 0; l < kSixValues; l += kLanes) {
      const Floats q = rounded(clamped(load(x + kSixValues * i + l) * inverse, -32, 31)) + 32.0f;
      const Bytes bytes = __builtin_convertvector(__builtin_convertvector(q, Ints), Bytes);
      std::memcpy(codes + kSixValues * i + l, &bytes, sizeof(bytes));
    }
  }
  for (int half = 0; half < 2; ++half) {
    const uint8_t* q = codes + 128 * half;
    uint8_t *low = out + 64 * half, *high = out + 128 + 32 * half;
    for (int l = 0; l < 32; ++l) {
      low[l] = static_cast<uint8_t>((q[l] & 15) | (q[l + 64] & 15) << 4);
      low[l + 32] = static_cast<uint8_t>((q[l + 32] & 15) | (q[l + 96] & 15) << 4);
      high[l] = static_cast<uint8_t>(q[l] >> 4 | (q[l + 32] >> 4) << 2 | (q[l + 64] >> 4) << 4 | (q[l + 96] >> 4) << 6);
    }
  }
  return true;
}

template <auto kBlock, int kBytes>
PHISCOPE_LOOP int64_t each_block(const float* row, int64_t columns, uint8_t* out) {
  for (int64_t block = 0; block < columns / kBlockValues; ++block)
    if (!kBlock(row + block * kBlockValues, out + block * kBytes)) return block;
  return -1;
}

#define PHISCOPE_ROW_ENCODER(name, bytes)                                                                                             \
  PHISCOPE_MULTIVERSION_RETURNING(int64_t, name##_row, (each_block<block_##name, bytes>), (const float* row, int64_t columns, uint8_t* out), \
                                  (row, columns, out))
PHISCOPE_ROW_ENCODER(q4_k, 144);
PHISCOPE_ROW_ENCODER(q5_k, 176);
PHISCOPE_ROW_ENCODER(q6_k, 210);
#undef PHISCOPE_ROW_ENCODER

}  // namespace

int64_t encode_q4_k(const float* row, int64_t columns, uint8_t* out) { return q4_k_row(row, columns, out); }
int64_t encode_q5_k(const float* row, int64_t columns, uint8_t* out) { return q5_k_row(row, columns, out); }
int64_t encode_q6_k(const float* row, int64_t columns, uint8_t* out) { return q6_k_row(row, columns, out); }

}  // namespace phiscope
