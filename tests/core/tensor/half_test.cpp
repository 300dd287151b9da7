#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

/// The value of a half by its definition, in double.
double half_by_definition(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, WidensEveryValueByDefinition) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const double expected = half_by_definition(half);
    const float found = f16_to_f32(half);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(found)) << bits;
      ASSERT_NE(std::bit_cast<uint32_t>(found) & 0x00400000u, 0u) << "NaN must be quiet: " << bits;
    } else {
      ASSERT_EQ(found, expected) << bits;
      ASSERT_EQ(std::signbit(found), (bits & 0x8000) != 0) << bits;
    }
  }
}

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const bool is_nan = std::isnan(half_by_definition(half));
    ASSERT_EQ(f32_to_f16(f16_to_f32(half)), is_nan ? half | 0x0200 : half) << bits;
  }
}

TEST(Half, RoundsTiesToEvenBetweenAllNeighbours) {
  for (uint16_t low = 0; low < 0x7bff; ++low) {
    const float a = f16_to_f32(low), b = f16_to_f32(static_cast<uint16_t>(low + 1));
    const float tie = a + (b - a) / 2;  // exact in f32
    const auto even = static_cast<uint16_t>(low % 2 == 0 ? low : low + 1);
    ASSERT_EQ(f32_to_f16(tie), even) << low;
    ASSERT_EQ(f32_to_f16(-tie), even | 0x8000) << low;
    ASSERT_EQ(f32_to_f16(std::nextafter(tie, 0.0f)), low) << low;
    ASSERT_EQ(f32_to_f16(std::nextafter(tie, INFINITY)), low + 1) << low;
  }
}

TEST(Half, OverflowsToInfinityFromTheTieOn) {
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::max()), 0xfc00);
  EXPECT_EQ(f32_to_f16(INFINITY), 0x7c00);
  EXPECT_EQ(f32_to_f16(std::ldexp(1.0f, -26)), 0);
  EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(BFloat16, WidensEveryValueAndRoundTrips) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    ASSERT_EQ(std::bit_cast<uint32_t>(bf16_to_f32(half)), bits << 16);
    const bool is_nan = (bits & 0x7fff) > 0x7f80;
    ASSERT_EQ(f32_to_bf16(bf16_to_f32(half)), is_nan ? half | 0x40 : half) << bits;
  }
}

TEST(BFloat16, RoundsTiesToEven) {
  for (uint32_t low = 0; low < 0x7f7f; ++low) {
    const uint32_t tie = low << 16 | 0x8000u;
    const uint32_t even = low % 2 == 0 ? low : low + 1;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie)), even) << low;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie - 1)), low) << low;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie + 1)), low + 1) << low;
  }
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x7f800001u)) & 0x7fff, 0x7fc0) << "NaN is made quiet and stays a NaN";
}

/// Odd starts and lengths cross the vector loop's main part and its tail.
TEST(Widen, RowsEqualSingleValuesAtEveryOffset) {
  std::vector<uint16_t> bits(65536);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i * 40503u);
  std::vector<float> out(bits.size());
  for (const DType type : {DType::f16, DType::bf16}) {
    const TensorView view{.dtype = type, .shape = {65536}, .data = reinterpret_cast<const std::byte*>(bits.data())};
    for (const int64_t first : {0, 1, 3, 65000}) {
      for (const int64_t count : {1, 7, 8, 9, 31, 536}) {
        widen_to_f32(view, first, count, out.data());
        for (int64_t i = 0; i < count; ++i) {
          const uint16_t half = bits[static_cast<size_t>(first + i)];
          const float expected = type == DType::f16 ? f16_to_f32(half) : bf16_to_f32(half);
          ASSERT_EQ(std::bit_cast<uint32_t>(out[static_cast<size_t>(i)]), std::bit_cast<uint32_t>(expected)) << half;
        }
      }
    }
  }
}

TEST(Narrow, RowsEqualSingleValues) {
  std::vector<float> values;
  for (uint32_t bits = 0; bits < 0xfff00000u; bits += 0x0001d0bbu) values.push_back(std::bit_cast<float>(bits));
  std::vector<uint16_t> out(values.size());
  for (const DType type : {DType::f16, DType::bf16}) {
    narrow_from_f32(values.data(), static_cast<int64_t>(values.size()), type, reinterpret_cast<std::byte*>(out.data()));
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(out[i], type == DType::f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i])) << values[i];
  }
}

TEST(Widen, CopiesF32) {
  const std::vector<float> values{1, 2, 3, 4};
  const TensorView view{.dtype = DType::f32, .shape = {4}, .data = reinterpret_cast<const std::byte*>(values.data())};
  std::vector<float> out(2);
  widen_to_f32(view, 1, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{2, 3}));
}

}  // namespace
}  // namespace phiscope
