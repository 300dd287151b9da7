#include <bit>
#include <cstring>

#include "core/tensor/dtype.h"
#include "core/tensor/multiversion.h"

namespace phiscope {
namespace {

// Branch-free so that the loops below vectorize. A half's subnormals are made by a float subtraction of normal numbers, so the result does
// not depend on the processor's flush-to-zero mode.
PHISCOPE_LOOP float widen_f16(uint16_t half) {
  const uint32_t magnitude = (half & 0x7fffu) << 13;
  const uint32_t exponent = magnitude & 0x0f800000u;
  const uint32_t normal = magnitude + (112u << 23);
  // 2^-14 * (1 + mantissa) - 2^-14
  const float subnormal = std::bit_cast<float>(magnitude + (113u << 23)) - std::bit_cast<float>(113u << 23);
  const uint32_t special = magnitude | 0x7f800000u | ((magnitude & 0x007fffffu) != 0 ? 0x00400000u : 0u);
  uint32_t bits = exponent == 0 ? std::bit_cast<uint32_t>(subnormal) : normal;
  bits = exponent == 0x0f800000u ? special : bits;
  return std::bit_cast<float>(bits | (half & 0x8000u) << 16);
}

PHISCOPE_LOOP float widen_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

PHISCOPE_LOOP void widen_f16_loop(const uint16_t* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = widen_f16(in[i]);
}
PHISCOPE_MULTIVERSION(widen_f16_row, widen_f16_loop, (const uint16_t* in, int64_t count, float* out), (in, count, out));

PHISCOPE_LOOP void widen_bf16_loop(const uint16_t* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = widen_bf16(in[i]);
}
PHISCOPE_MULTIVERSION(widen_bf16_row, widen_bf16_loop, (const uint16_t* in, int64_t count, float* out), (in, count, out));

PHISCOPE_LOOP uint16_t narrow_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t odd = magnitude >> 13 & 1u;
  const uint32_t normal = (magnitude - (112u << 23) + 0x0fffu + odd) >> 13;
  // Below 2^-14: the addition rounds to a multiple of 2^-24, half's smallest subnormal.
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<uint32_t>(0.5f);
  const uint32_t quiet_nan = 0x7e00u | (magnitude >> 13 & 0x03ffu);
  uint32_t half = magnitude < (113u << 23) ? subnormal : normal;
  half = magnitude >= 0x477ff000u ? 0x7c00u : half;  // 65520, the tie between the largest half and the next power, and above
  half = magnitude > 0x7f800000u ? quiet_nan : half;
  return static_cast<uint16_t>((bits >> 16 & 0x8000u) | half);
}

PHISCOPE_LOOP uint16_t narrow_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x0040u : rounded);
}

PHISCOPE_LOOP void narrow_f16_loop(const float* in, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = narrow_f16(in[i]);
}
PHISCOPE_MULTIVERSION(narrow_f16_row, narrow_f16_loop, (const float* in, int64_t count, uint16_t* out), (in, count, out));

PHISCOPE_LOOP void narrow_bf16_loop(const float* in, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = narrow_bf16(in[i]);
}
PHISCOPE_MULTIVERSION(narrow_bf16_row, narrow_bf16_loop, (const float* in, int64_t count, uint16_t* out), (in, count, out));

}  // namespace

float f16_to_f32(uint16_t bits) { return widen_f16(bits); }

float bf16_to_f32(uint16_t bits) { return widen_bf16(bits); }

uint16_t f32_to_f16(float value) { return narrow_f16(value); }

uint16_t f32_to_bf16(float value) { return narrow_bf16(value); }

void widen_to_f32(const TensorView& tensor, int64_t first, int64_t count, float* out) {
  if (count <= 0) return;
  const std::byte* in = tensor.data + static_cast<size_t>(first) * dtype_bytes(tensor.dtype);
  switch (tensor.dtype) {
    case DType::f16: return widen_f16_row(reinterpret_cast<const uint16_t*>(in), count, out);
    case DType::bf16: return widen_bf16_row(reinterpret_cast<const uint16_t*>(in), count, out);
    default: std::memcpy(out, in, static_cast<size_t>(count) * sizeof(float));
  }
}

void narrow_from_f32(const float* values, int64_t count, DType type, std::byte* out) {
  if (count <= 0) return;
  switch (type) {
    case DType::f16: return narrow_f16_row(values, count, reinterpret_cast<uint16_t*>(out));
    case DType::bf16: return narrow_bf16_row(values, count, reinterpret_cast<uint16_t*>(out));
    default: std::memcpy(out, values, static_cast<size_t>(count) * sizeof(float));
  }
}

}  // namespace phiscope
