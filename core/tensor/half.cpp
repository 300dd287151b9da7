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

}  // namespace

float f16_to_f32(uint16_t bits) { return widen_f16(bits); }

float bf16_to_f32(uint16_t bits) { return widen_bf16(bits); }

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | (magnitude >> 13 & 0x03ffu);  // quiet, upper payload kept
  } else if (magnitude >= 0x477ff000u) {           // 65520, the tie between the largest half and the next power, and above
    half = 0x7c00u;
  } else if (magnitude < (113u << 23)) {           // below 2^-14: the float addition rounds to a multiple of 2^-24
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(0.5f);
  } else {
    const uint32_t odd = magnitude >> 13 & 1u;
    half = (magnitude - (112u << 23) + 0x0fffu + odd) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x0040u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

void widen_to_f32(const TensorView& tensor, int64_t first, int64_t count, float* out) {
  if (count <= 0) return;
  const std::byte* in = tensor.data + static_cast<size_t>(first) * dtype_bytes(tensor.dtype);
  switch (tensor.dtype) {
    case DType::f16: return widen_f16_row(reinterpret_cast<const uint16_t*>(in), count, out);
    case DType::bf16: return widen_bf16_row(reinterpret_cast<const uint16_t*>(in), count, out);
    default: std::memcpy(out, in, static_cast<size_t>(count) * sizeof(float));
  }
}

}  // namespace phiscope
