#pragma once
// Where AVX-512 intrinsics come from: the compiler, or SIMDe in tests on machines without AVX-512 (PHISCOPE_SIMDE), which lacks a few that
// are written here lane by lane. Included only by the units of this folder.

#include <cstdint>

#if defined(PHISCOPE_SIMDE)

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#include "core/tensor/dtype.h"

// SIMDe 0.7.4 defines this alias with the parameters of the masked form.
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)

namespace phiscope::cpu {
namespace {

/// out[i] = f(in[i]) for 16 lanes.
template <class To, class OutLane, class InLane, class From, class Function>
To each_lane(From from, Function f) {
  InLane in[16];
  static_assert(sizeof(in) == sizeof(from));
  __builtin_memcpy(in, &from, sizeof(in));
  OutLane out[16];
  static_assert(sizeof(out) == sizeof(To));
  for (int i = 0; i < 16; ++i) out[i] = f(in[i]);
  To to;
  __builtin_memcpy(&to, out, sizeof(out));
  return to;
}

inline int32_t nearest_int(float x) { return static_cast<int32_t>(__builtin_nearbyintf(x)); }

inline void dot_unsigned_signed(__m512i& acc, __m512i codes, __m512i activations) {
  int32_t sums[16];
  uint8_t u[64];
  int8_t s[64];
  __builtin_memcpy(sums, &acc, 64);
  __builtin_memcpy(u, &codes, 64);
  __builtin_memcpy(s, &activations, 64);
  for (int i = 0; i < 64; ++i) sums[i / 4] += u[i] * s[i];
  __builtin_memcpy(&acc, sums, 64);
}

inline __m256 upper_half(__m512 v) {
  float lanes[16];
  __builtin_memcpy(lanes, &v, 64);
  return _mm256_loadu_ps(lanes + 8);
}

inline void dot_half(__m512& acc, __m512i a, __m512i b) {
  float sums[16];
  uint16_t x[32], y[32];
  __builtin_memcpy(sums, &acc, 64);
  __builtin_memcpy(x, &a, 64);
  __builtin_memcpy(y, &b, 64);
  for (int i = 0; i < 32; ++i) sums[i / 2] += bf16_to_f32(x[i]) * bf16_to_f32(y[i]);
  __builtin_memcpy(&acc, sums, 64);
}

}  // namespace
}  // namespace phiscope::cpu

#define PHISCOPE_CVTEPI32_PS(a) each_lane<__m512, float, int32_t>(a, [](int32_t x) { return static_cast<float>(x); })
#define PHISCOPE_CVTPS_EPI32(a) each_lane<__m512i, int32_t, float>(a, nearest_int)
#define PHISCOPE_CVTPH_PS(a) each_lane<__m512, float, uint16_t>(a, f16_to_f32)
#define PHISCOPE_CVTPS_PH(a) each_lane<__m256i, uint16_t, float>(a, f32_to_f16)
#define PHISCOPE_CVTEPU8_EPI32(a) each_lane<__m512i, int32_t, uint8_t>(a, [](uint8_t x) { return int32_t{x}; })
#define PHISCOPE_CVTEPI8_EPI32(a) each_lane<__m512i, int32_t, int8_t>(a, [](int8_t x) { return int32_t{x}; })
#define PHISCOPE_CVTEPI32_EPI8(a) each_lane<__m128i, int8_t, int32_t>(a, [](int32_t x) { return static_cast<int8_t>(x); })
#define PHISCOPE_UPPER_HALF(v) upper_half(v)
#define PHISCOPE_CVTNEPS_PBH(a) each_lane<__m256i, uint16_t, float>(a, f32_to_bf16)
#define PHISCOPE_AND_OR(a, b, c) _mm512_or_si512(_mm512_and_si512(a, b), c)
#define PHISCOPE_DPBUSD(acc, codes, activations) dot_unsigned_signed(acc, codes, activations)
#define PHISCOPE_DPBF16(acc, a, b) dot_half(acc, a, b)
#define PHISCOPE_AVX512_TABLE(name) name##Simde

#else

#include <immintrin.h>
#define PHISCOPE_CVTEPI32_PS(a) _mm512_cvtepi32_ps(a)
#define PHISCOPE_CVTPS_EPI32(a) _mm512_cvtps_epi32(a)
#define PHISCOPE_CVTPH_PS(a) _mm512_cvtph_ps(a)
#define PHISCOPE_CVTPS_PH(a) _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)
#define PHISCOPE_CVTEPU8_EPI32(a) _mm512_cvtepu8_epi32(a)
#define PHISCOPE_CVTEPI8_EPI32(a) _mm512_cvtepi8_epi32(a)
#define PHISCOPE_CVTEPI32_EPI8(a) _mm512_cvtepi32_epi8(a)
#define PHISCOPE_UPPER_HALF(v) _mm512_extractf32x8_ps(v, 1)
#define PHISCOPE_CVTNEPS_PBH(a) ((__m256i)_mm512_cvtneps_pbh(a))
#define PHISCOPE_AND_OR(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xea)
#define PHISCOPE_DPBF16(acc, a, b) asm("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))
#define PHISCOPE_DPBUSD(acc, codes, activations) asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(activations))
#define PHISCOPE_AVX512_TABLE(name) name

#endif
