#include "core/quant/row_quantizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "core/quant/lanes.h"
#include "core/tensor/multiversion.h"

namespace phiscope {
namespace {

using namespace lanes;

/// The codes' distances from the code of zero.
struct Range {
  float low, high;
};

PHISCOPE_LOOP Floats steps_of(Floats scaled, Range range) {
  const Floats clamped = smaller(larger(scaled, splat(range.low)), splat(range.high));
  return (clamped + kRounder) - kRounder;
}

/// The stored scale and what is encoded with it.
struct Fit {
  float scale = 0;  // rounded to the scale type; 0 = all zero
  Range range{0, 0};
};

/// Rounds to the stored type. Below the type's normal numbers the magnitude is rounded up, so that no value is clipped by it.
/// Infinity when the type cannot hold it.
PHISCOPE_LOOP float stored_scale(float scale, DType type) {
  if (scale == 0) return 0;
  if (type == DType::f32) return std::fabs(scale) < FLT_MIN ? std::copysign(FLT_MIN, scale) : scale;
  uint16_t half = f32_to_f16(scale);
  const bool is_subnormal = (half & 0x7c00) == 0;
  if (is_subnormal && std::fabs(f16_to_f32(half)) < std::fabs(scale)) ++half;
  return f16_to_f32(half);
}

struct Extent {
  float low = 0, high = 0;  // both sides include 0
};

PHISCOPE_LOOP Extent extent_of(const float* values, int64_t count) {
  Floats low{}, high{};
  for (int64_t i = 0; i < count; i += kLanes) {
    const Floats v = load(values + i);
    low = smaller(low, v);
    high = larger(high, v);
  }
  return {-largest_of(-low), largest_of(high)};
}

/// Scale from the largest magnitude. Symmetric 4 bits: the value of largest magnitude becomes -8, so its sign decides the scale's (as in
/// GGUF Q4_0); symmetric 8 bits: 127; zero point: the extent becomes the whole range of codes.
PHISCOPE_LOOP Fit round_to_nearest_fit(Extent extent, const WeightEncoding& encoding) {
  const float levels = encoding.bits == 4 ? 15.0f : 255.0f;
  if (extent.low == 0 && extent.high == 0) return {};
  if (encoding.offset == OffsetClass::zero_point) {
    const float scale = stored_scale((extent.high - extent.low) / levels, encoding.scale_type);
    const float zero = std::clamp(std::nearbyint(-extent.low / scale), 0.0f, levels);
    return {scale, {-zero, levels - zero}};
  }
  if (encoding.bits == 8) return {stored_scale(std::max(-extent.low, extent.high) / 127, encoding.scale_type), {-127, 127}};
  const float farthest = -extent.low >= extent.high ? extent.low : extent.high;
  return {stored_scale(farthest / -8, encoding.scale_type), {-8, 7}};
}

/// sum (w - w')^2 in units of `unit`^2 (a power of two that keeps the squares in range).
PHISCOPE_LOOP double error_of(const float* values, int64_t count, Fit fit, float unit) {
  constexpr int64_t kChunk = 512;  // float sums stay short, so that a row of 16384 loses no digits that matter
  const float inverse = 1 / fit.scale;
  double total = 0;
  for (int64_t first = 0; first < count; first += kChunk) {
    Floats sum{};
    for (int64_t i = first; i < std::min(count, first + kChunk); i += kLanes) {
      const Floats v = load(values + i);
      const Floats difference = (v - steps_of(v * inverse, fit.range) * fit.scale) * unit;
      sum += difference * difference;
    }
    total += static_cast<double>(sum_of(sum));
  }
  return total;
}

/// What least squares needs of the steps q that a scale gives: sum w q and sum q q. The error with the best scale for these steps is
/// sum w^2 - (sum w q)^2 / sum q^2.
struct Moments {
  float wq = 0, qq = 0;
};

PHISCOPE_LOOP Moments moments_of(const float* values, int64_t count, float inverse, Range range) {
  Floats wq{}, qq{};
  for (int64_t i = 0; i < count; i += kLanes) {
    const Floats v = load(values + i);
    const Floats q = steps_of(v * inverse, range);
    wq += v * q;
    qq += q * q;
  }
  return {sum_of(wq), sum_of(qq)};
}

// 20 clips of the largest magnitude's scale, 0.75 to 1.05, four at a time: eight sums, four constants and the values fit 16 registers, and
// the eight sums are added across lanes together (32 -> 53 M weights/s at g32 on one AVX2 core against one clip at a time).
constexpr int kClips = 20, kBatch = 4;
constexpr float clip_factor(int index) { return 0.75f + 0.3f / (kClips - 1) * static_cast<float>(index); }

PHISCOPE_LOOP Floats add_neighbours(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14) + __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}

/// The sums of a[0..3] in lanes 0 to 3 and of b[0..3] in lanes 4 to 7.
PHISCOPE_LOOP Floats sums_of(const Floats* a, const Floats* b) {
  const Floats first = add_neighbours(add_neighbours(a[0], a[1]), add_neighbours(a[2], a[3]));
  const Floats second = add_neighbours(add_neighbours(b[0], b[1]), add_neighbours(b[2], b[3]));
  return __builtin_shufflevector(first, second, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(first, second, 4, 5, 6, 7, 12, 13, 14, 15);
}

PHISCOPE_LOOP Floats batch_moments(const float* values, int64_t count, const float* inverses, Range range) {
  Floats wq[kBatch]{}, qq[kBatch]{};
  for (int64_t i = 0; i < count; i += kLanes) {
    const Floats v = load(values + i);
    for (int c = 0; c < kBatch; ++c) {
      const Floats q = steps_of(v * inverses[c], range);
      wq[c] += v * q;
      qq[c] += q * q;
    }
  }
  return sums_of(wq, qq);
}

struct Candidate {
  float scale = 0;  // refitted, not yet rounded
  Range range{0, 0};
  float gain = -1;  // by how much it lowers the squared error, times unit^2
};

PHISCOPE_LOOP Candidate search_clips(const float* values, int64_t count, float scale, float unit, Range range) {
  float inverses[kClips], gains[kClips], scales[kClips];
  for (int i = 0; i < kClips; ++i) inverses[i] = 1 / (scale * clip_factor(i));
  for (int first = 0; first < kClips; first += kBatch) {
    const Floats sums = batch_moments(values, count, inverses + first, range);
    for (int c = 0; c < kBatch; ++c) {
      const float wq = sums[c], qq = std::max(sums[kBatch + c], 1.0f);  // qq is a sum of squared integers
      scales[first + c] = wq / qq;
      gains[first + c] = (wq * unit) * (scales[first + c] * unit);
    }
  }
  int best = 0;
  for (int i = 1; i < kClips; ++i) best = gains[i] > gains[best] ? i : best;
  return {scales[best], range, gains[best]};
}

/// The best of the ranges worth searching. Symmetric 4 bits: either sign may have the eighth step; the other sign's search reaches higher,
/// as its largest magnitude has seven steps only. Zero point: the neighbours of the first one.
PHISCOPE_LOOP Candidate search_ranges(const float* values, int64_t count, Fit start, float unit, const WeightEncoding& encoding) {
  std::array<Fit, 3> starts{start};
  int tried = 1;
  if (encoding.bits == 4 && encoding.offset == OffsetClass::symmetric) starts[tried++] = {-1.1f * start.scale, start.range};
  if (encoding.bits == 4 && encoding.offset == OffsetClass::zero_point) {
    if (start.range.low < 0) starts[tried++] = {start.scale, {start.range.low + 1, start.range.high + 1}};
    if (start.range.high > 0) starts[tried++] = {start.scale, {start.range.low - 1, start.range.high - 1}};
  }
  Candidate best;
  for (int i = 0; i < tried; ++i) {
    const Candidate other = search_clips(values, count, starts[i].scale, unit, starts[i].range);
    if (other.gain > best.gain) best = other;
  }
  return best;
}

/// A power of two p with p * value between 1/2 and 4, for any finite value > 0 (subnormal ones may give less).
PHISCOPE_LOOP float inverse_power(float value) {
  constexpr uint32_t kExponent = 0x7f800000u, kOne = 0x00800000u;
  const uint32_t exponent = std::bit_cast<uint32_t>(value) & kExponent;
  return std::bit_cast<float>(std::max((kExponent - kOne) - std::min(exponent, kExponent - kOne), kOne));
}

/// The clip with the least squared error, its scale refitted twice to its codes; never worse than rounding to nearest.
PHISCOPE_LOOP Fit clip_search_fit(const float* values, int64_t count, Fit start, Extent extent, const WeightEncoding& encoding) {
  const float unit = inverse_power(std::max(-extent.low, extent.high));
  Fit best = start;
  double least = error_of(values, count, start, unit);
  if (least == 0) return start;
  const Candidate candidate = search_ranges(values, count, start, unit, encoding);
  Fit fit{stored_scale(candidate.scale, encoding.scale_type), candidate.range};
  for (int refit = 0; refit < 2; ++refit) {
    if (fit.scale == 0 || !std::isfinite(fit.scale)) break;
    const double error = error_of(values, count, fit, unit);
    if (error < least) {
      least = error;
      best = fit;
    }
    const Moments moments = moments_of(values, count, 1 / fit.scale, fit.range);
    if (moments.qq <= 0) break;
    fit.scale = stored_scale(moments.wq / moments.qq, encoding.scale_type);
  }
  return best;
}

/// Codes of one group, and its share of the sums.
PHISCOPE_LOOP void encode_group(const float* values, int64_t count, Fit fit, int zero_code, uint8_t* codes, ErrorSums* sums) {
  constexpr int64_t kChunk = 512;
  const float inverse = fit.scale == 0 ? 0 : 1 / fit.scale;
  Floats largest{};
  for (int64_t first = 0; first < count; first += kChunk) {
    Floats squared_error{}, squared_value{};
    for (int64_t i = first; i < std::min(count, first + kChunk); i += kLanes) {
      const Floats v = load(values + i);
      const Floats q = steps_of(v * inverse, fit.range);
      const Floats difference = v - q * fit.scale;
      squared_error += difference * difference;
      squared_value += v * v;
      largest = larger(largest, magnitude(difference));
      const Bytes bytes = __builtin_convertvector(__builtin_convertvector(q, Ints) + zero_code, Bytes);
      std::memcpy(codes + i, &bytes, sizeof(bytes));
    }
    sums->squared_error += static_cast<double>(sum_of(squared_error));
    sums->squared_value += static_cast<double>(sum_of(squared_value));
  }
  sums->max_abs_error = std::max(sums->max_abs_error, static_cast<double>(largest_of(largest)));
  sums->elements += count;
}

PHISCOPE_LOOP void add_errors_loop(const float* values, const float* stored, int64_t count, ErrorSums* sums) {
  constexpr int64_t kChunk = 512;
  Floats largest{};
  for (int64_t first = 0; first < count; first += kChunk) {
    Floats squared_error{}, squared_value{};
    for (int64_t i = first; i < std::min(count, first + kChunk); i += kLanes) {
      const Floats v = load(values + i);
      const Floats difference = v - load(stored + i);
      squared_error += difference * difference;
      squared_value += v * v;
      largest = larger(largest, magnitude(difference));
    }
    sums->squared_error += static_cast<double>(sum_of(squared_error));
    sums->squared_value += static_cast<double>(sum_of(squared_value));
  }
  sums->max_abs_error = std::max(sums->max_abs_error, static_cast<double>(largest_of(largest)));
  sums->elements += count;
}
PHISCOPE_MULTIVERSION(add_errors_version, add_errors_loop,
                      (const float* values, const float* stored, int64_t count, ErrorSums* sums), (values, stored, count, sums));

PHISCOPE_LOOP int64_t quantize_row_loop(const float* row, int64_t columns, const WeightEncoding& encoding, QuantMethod method,
                                        const RowCodes& out, ErrorSums* sums) {
  const int64_t width = encoding.group == 0 ? columns : encoding.group;
  const int middle = 1 << (encoding.bits - 1);
  for (int64_t group = 0, first = 0; first < columns; ++group, first += width) {
    const int64_t count = std::min(width, columns - first);
    const float* values = row + first;
    const Extent extent = extent_of(values, count);
    Fit fit = round_to_nearest_fit(extent, encoding);
    if (!std::isfinite(fit.scale)) return group;
    if (method == QuantMethod::mse && fit.scale != 0) fit = clip_search_fit(values, count, fit, extent, encoding);
    const bool has_zero_point = encoding.offset == OffsetClass::zero_point && fit.scale != 0;
    const int zero_code = has_zero_point ? static_cast<int>(-fit.range.low) : middle;
    encode_group(values, count, fit, zero_code, out.codes + first, sums);
    out.scales[group] = fit.scale;
    out.zero_points[group] = static_cast<uint8_t>(zero_code);
  }
  return -1;
}

PHISCOPE_MULTIVERSION_RETURNING(int64_t, quantize_row_version, quantize_row_loop,
                                (const float* row, int64_t columns, const WeightEncoding& encoding, QuantMethod method, const RowCodes& out,
                                 ErrorSums* sums),
                                (row, columns, encoding, method, out, sums));

}  // namespace

int64_t quantize_row(const float* row, int64_t columns, const WeightEncoding& encoding, QuantMethod method, const RowCodes& out,
                     ErrorSums* sums) {
  return quantize_row_version(row, columns, encoding, method, out, sums);
}

void add_errors(const float* values, const float* stored, int64_t count, ErrorSums* sums) {
  add_errors_version(values, stored, count, sums);
}

}  // namespace phiscope
