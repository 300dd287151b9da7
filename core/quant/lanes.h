#pragma once
// Eight floats at a time, for loops that multiversion.h compiles for the baseline and for AVX2: plain vector arithmetic in a fixed order,
// so that both give the same bits. Everything is inlined into the loop. Internal to core/quant.

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/tensor/multiversion.h"

namespace phiscope::lanes {

constexpr int kLanes = 8;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Bytes = uint8_t __attribute__((vector_size(kLanes)));

PHISCOPE_LOOP Floats load(const float* from) {
  Floats values;
  std::memcpy(&values, from, sizeof(values));
  return values;
}
PHISCOPE_LOOP Floats splat(float value) { return Floats{} + value; }
PHISCOPE_LOOP Floats smaller(Floats a, Floats b) { return a < b ? a : b; }
PHISCOPE_LOOP Floats larger(Floats a, Floats b) { return a > b ? a : b; }
PHISCOPE_LOOP Floats magnitude(Floats a) { return larger(a, -a); }

/// Fixed order of additions: the same sum on every instruction set.
PHISCOPE_LOOP float sum_of(Floats v) {
  const Floats half = v + __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  const Floats quarter = half + __builtin_shufflevector(half, half, 2, 3, 0, 1, 6, 7, 4, 5);
  return quarter[0] + quarter[1];
}
PHISCOPE_LOOP float largest_of(Floats v) {
  const Floats half = larger(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  const Floats quarter = larger(half, __builtin_shufflevector(half, half, 2, 3, 0, 1, 6, 7, 4, 5));
  return std::max(quarter[0], quarter[1]);
}

// 1.5 * 2^23: adding it leaves no fraction bits, so the addition rounds to the nearest integer, ties to even, for |v| < 2^22.
constexpr float kRounder = 12582912.0f;

}  // namespace phiscope::lanes
