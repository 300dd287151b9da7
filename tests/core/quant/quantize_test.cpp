#include "core/quant/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace phiscope {
namespace {

using ::testing::HasSubstr;

TensorView view_of(const std::vector<float>& values, int64_t rows) {
  return {.dtype = DType::f32,
          .shape = {rows, static_cast<int64_t>(values.size()) / rows},
          .data = reinterpret_cast<const std::byte*>(values.data())};
}

std::vector<float> normal_values(size_t count, uint32_t seed, float deviation = 0.02f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

EncodedMatrix encode(const std::vector<float>& values, int64_t rows, const WeightEncoding& encoding, QuantMethod method,
                     QuantError* error = nullptr) {
  auto matrix = quantize_matrix(view_of(values, rows), encoding, method, 1, error);
  EXPECT_TRUE(matrix.has_value()) << (matrix ? "" : matrix.error().message);
  return matrix.value_or(EncodedMatrix{});
}

std::vector<float> decode(const EncodedMatrix& matrix) {
  std::vector<float> out(static_cast<size_t>(matrix.rows * matrix.columns));
  for (int64_t row = 0; row < matrix.rows; ++row) dequantize_row(matrix.view(), row, out.data() + row * matrix.columns);
  return out;
}

double squared_error(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
  return sum;
}

const WeightEncoding kInt4{.bits = 4, .group = 32};
const WeightEncoding kInt4Zero{.bits = 4, .group = 32, .offset = OffsetClass::zero_point};
const WeightEncoding kInt8{.bits = 8};
const std::vector<WeightEncoding> kEncodings{kInt4,
                                             kInt4Zero,
                                             kInt8,
                                             {.bits = 4},
                                             {.bits = 4, .group = 16, .scale_type = DType::f32},
                                             {.bits = 4, .group = 128, .offset = OffsetClass::zero_point, .scale_type = DType::f32},
                                             {.bits = 8, .group = 32},
                                             {.bits = 8, .group = 64, .offset = OffsetClass::zero_point},
                                             {.bits = 8, .scale_type = DType::f32}};

float half(float value) { return f16_to_f32(f32_to_f16(value)); }

// --- round to nearest, against the definition written plainly -----------------------------------------------------------------

TEST(RoundToNearest, GivesTheLargestMagnitudeTheEighthStep) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    const std::vector<float> values = normal_values(32, seed);
    float farthest = 0;
    for (float value : values)
      if (std::abs(value) > std::abs(farthest)) farthest = value;
    const EncodedMatrix matrix = encode(values, 1, kInt4, QuantMethod::rtn);
    const float scale = half(farthest / -8);
    ASSERT_EQ(matrix.view().scale(0, 0), scale);
    for (int column = 0; column < 32; ++column) {
      const double exact = std::clamp(static_cast<double>(values[static_cast<size_t>(column)]) / static_cast<double>(scale), -8.0, 7.0);
      ASSERT_LE(std::abs(matrix.view().code(0, column) - 8 - exact), 0.5 + 1e-5) << "column " << column;
    }
  }
}

TEST(RoundToNearest, SpreadsTheExtentOverAllCodesWithAZeroPoint) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::vector<float> values = normal_values(32, seed);
    for (float& value : values) value += 0.03f * static_cast<float>(seed % 3);
    const float low = std::min(0.0f, *std::ranges::min_element(values)), high = std::max(0.0f, *std::ranges::max_element(values));
    const EncodedMatrix matrix = encode(values, 1, kInt4Zero, QuantMethod::rtn);
    const float scale = half((high - low) / 15);
    ASSERT_EQ(matrix.view().scale(0, 0), scale);
    const int zero = matrix.zero_points[0];
    ASSERT_EQ(zero, std::lround(-low / scale));
    for (int column = 0; column < 32; ++column) {
      const double exact = std::clamp(static_cast<double>(values[static_cast<size_t>(column)]) / static_cast<double>(scale) + zero, 0.0, 15.0);
      ASSERT_LE(std::abs(matrix.view().code(0, column) - exact), 0.5 + 1e-5);
    }
  }
}

TEST(RoundToNearest, KeepsEightBitCodesWithin127OfTheMiddle) {
  const std::vector<float> values = normal_values(1000, 3);
  const EncodedMatrix matrix = encode(values, 1, kInt8, QuantMethod::rtn);
  int largest = 0;
  for (int column = 0; column < 1000; ++column) largest = std::max(largest, std::abs(matrix.view().code(0, column) - 128));
  EXPECT_EQ(largest, 127);
}

// --- clip search --------------------------------------------------------------------------------------------------------------

/// Least squared error of one group over every f16 scale of the given sign between 0.5 and 1.5 of amax / 8, nearest codes in [low, high].
double brute_force_error(const std::vector<float>& values, int low, int high, bool negative) {
  float amax = 0;
  for (float value : values) amax = std::max(amax, std::abs(value));
  double least = std::numeric_limits<double>::infinity();
  const uint16_t first = f32_to_f16(amax / 8 * 0.5f), last = f32_to_f16(amax / 8 * 1.5f);
  for (uint16_t bits = first; bits <= last; ++bits) {
    const double scale = (negative ? -1 : 1) * static_cast<double>(f16_to_f32(bits));
    double error = 0;
    for (float value : values) {
      const double step = std::clamp(std::nearbyint(static_cast<double>(value) / scale), double(low), double(high));
      error += std::pow(static_cast<double>(value) - step * scale, 2);
    }
    least = std::min(least, error);
  }
  return least;
}

TEST(ClipSearch, ComesNearTheBestOfAllHalfScales) {
  double found = 0, best = 0, rounded = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const std::vector<float> values = normal_values(32, seed);
    const double least = std::min(brute_force_error(values, -8, 7, false), brute_force_error(values, -8, 7, true));
    const double error = squared_error(values, decode(encode(values, 1, kInt4, QuantMethod::mse)));
    ASSERT_GE(error, least * (1 - 1e-6)) << "better than every scale: the error is not what is stored";
    ASSERT_LE(error, least * 1.15) << "seed " << seed;
    found += error;
    best += least;
    rounded += squared_error(values, decode(encode(values, 1, kInt4, QuantMethod::rtn)));
  }
  EXPECT_LE(found, best * 1.03);
  EXPECT_LE(found, rounded * 0.93) << "the search must pay for its time";
}

TEST(ClipSearch, IsNeverWorseThanRoundToNearest) {
  for (const WeightEncoding& encoding : kEncodings)
    for (const int64_t columns : {32, 33, 100, 512, 1000})
      for (uint32_t seed = 0; seed < 6; ++seed) {
        std::vector<float> values = normal_values(static_cast<size_t>(3 * columns), seed, 0.1f);
        values[static_cast<size_t>(columns)] *= 30;  // an outlier
        const double rounded = squared_error(values, decode(encode(values, 3, encoding, QuantMethod::rtn)));
        const double searched = squared_error(values, decode(encode(values, 3, encoding, QuantMethod::mse)));
        ASSERT_LE(searched, rounded * (1 + 1e-6)) << encoding.name() << " columns " << columns << " seed " << seed;
      }
}

// --- both methods -------------------------------------------------------------------------------------------------------------

class BothMethods : public ::testing::TestWithParam<QuantMethod> {};
INSTANTIATE_TEST_SUITE_P(Methods, BothMethods, ::testing::Values(QuantMethod::rtn, QuantMethod::mse),
                         [](const auto& method) { return std::string(method_name(method.param)); });

/// Values on a grid that reaches the ends of the range come back exactly, tails included.
TEST_P(BothMethods, KeepValuesOnTheGrid) {
  std::mt19937 random(11);
  for (const WeightEncoding& encoding : kEncodings)
    for (const int64_t columns : {16, 32, 33, 47, 160, 257}) {
      const bool has_zero_point = encoding.offset == OffsetClass::zero_point;
      const int levels = encoding.bits == 4 ? 15 : 255;
      const int64_t width = encoding.group == 0 ? columns : encoding.group;
      std::vector<float> values(static_cast<size_t>(columns));
      float scale = 0;
      int low = 0, high = 0;
      for (int64_t i = 0; i < columns; ++i) {
        if (i % width == 0) {
          scale = half(std::uniform_real_distribution<float>(0.001f, 0.1f)(random));
          low = has_zero_point ? -static_cast<int>(random() % static_cast<uint32_t>(levels + 1)) : encoding.bits == 4 ? -8 : -127;
          high = has_zero_point ? low + levels : encoding.bits == 4 ? 7 : 127;
        }
        const int step = i % width == 0 ? low : i % width == 1 ? high : low + static_cast<int>(random() % static_cast<uint32_t>(high - low + 1));
        values[static_cast<size_t>(i)] = scale * static_cast<float>(step);
      }
      // A tail of one value holds one end only: its zero-point range is its own.
      if (has_zero_point && columns % width == 1) values.back() = 0;
      QuantError error;
      const EncodedMatrix matrix = encode(values, 1, encoding, GetParam(), &error);
      ASSERT_EQ(decode(matrix), values) << encoding.name() << " columns " << columns;
      ASSERT_EQ(error.mse, 0);
      ASSERT_EQ(error.sqnr_db, std::numeric_limits<double>::infinity());
    }
}

TEST_P(BothMethods, ReportTheErrorOfWhatIsStored) {
  for (const WeightEncoding& encoding : kEncodings) {
    const std::vector<float> values = normal_values(7 * 333, 5);
    QuantError error;
    const std::vector<float> stored = decode(encode(values, 7, encoding, GetParam(), &error));
    double squares = 0, largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      squares += std::pow(static_cast<double>(values[i]), 2);
      largest = std::max(largest, std::abs(static_cast<double>(values[i]) - static_cast<double>(stored[i])));
    }
    const double expected = squared_error(values, stored);
    EXPECT_NEAR(error.mse, expected / static_cast<double>(values.size()), 1e-5 * error.mse) << encoding.name();
    EXPECT_NEAR(error.sqnr_db, 10 * std::log10(squares / expected), 1e-3);
    EXPECT_NEAR(error.max_abs_error, largest, 1e-5 * largest);
  }
}

TEST_P(BothMethods, GiveTheSameBitsForAnyThreadsAndRowRanges) {
  const int64_t rows = 40, columns = 20000;  // several blocks of rows
  const std::vector<float> values = normal_values(static_cast<size_t>(rows * columns), 9);
  for (const WeightEncoding& encoding : {kInt4, kInt4Zero, kInt8}) {
    QuantError error_one, error_four;
    const auto one = quantize_matrix(view_of(values, rows), encoding, GetParam(), 1, &error_one);
    const auto four = quantize_matrix(view_of(values, rows), encoding, GetParam(), 4, &error_four);
    ASSERT_TRUE(one.has_value() && four.has_value());
    EXPECT_EQ(one->codes, four->codes);
    EXPECT_EQ(one->scales, four->scales);
    EXPECT_EQ(one->zero_points, four->zero_points);
    EXPECT_EQ(error_one.mse, error_four.mse);
    std::vector<std::byte> codes(encoding.code_bytes_per_row(columns)), scales(2 * static_cast<size_t>(encoding.groups(columns)));
    std::vector<uint8_t> zero_points(static_cast<size_t>(encoding.groups(columns)));
    ASSERT_TRUE(quantize_rows(view_of(values, rows), 17, 1, encoding, GetParam(), codes.data(), scales.data(), zero_points.data()));
    EXPECT_EQ(std::memcmp(codes.data(), one->codes.data() + 17 * codes.size(), codes.size()), 0);
    EXPECT_EQ(std::memcmp(scales.data(), one->scales.data() + 17 * scales.size(), scales.size()), 0);
  }
}

TEST_P(BothMethods, EncodeZeroGroupsAsZeros) {
  std::vector<float> values(64, 0.0f);
  values[40] = -0.5f;  // only the second group has a value
  for (const WeightEncoding& encoding : {kInt4, kInt4Zero, WeightEncoding{.bits = 8, .group = 32}}) {
    const EncodedMatrix matrix = encode(values, 1, encoding, GetParam());
    EXPECT_EQ(matrix.view().scale(0, 0), 0.0f);
    const std::vector<float> stored = decode(matrix);
    for (size_t i = 0; i < 32; ++i) EXPECT_EQ(stored[i], 0.0f);
    EXPECT_NEAR(stored[40], -0.5f, 1e-3);
  }
}

TEST_P(BothMethods, KeepConstantGroupsNearlyExact) {
  for (const float constant : {0.3f, -0.3f}) {
    const std::vector<float> values(32, constant);
    for (const WeightEncoding& encoding : {kInt4, kInt4Zero, WeightEncoding{.bits = 8, .group = 32}}) {
      for (float value : decode(encode(values, 1, encoding, GetParam())))
        EXPECT_NEAR(value, constant, 0.3f * std::ldexp(1.0f, -11)) << encoding.name();  // the scale's own rounding
    }
  }
}

/// Scales below half's normal numbers are rounded up: nothing is clipped, nothing becomes zero.
TEST_P(BothMethods, SurviveScalesThatHalfCanHardlyHold) {
  for (const float size : {1e-6f, 3e-7f, 1e-8f}) {
    const std::vector<float> values{size, -size / 2, size / 4, 0, 0, 0, 0, 0, size, -size, 0, 0, 0, 0, 0, 0};
    const EncodedMatrix matrix = encode(values, 1, {.bits = 4, .group = 16}, GetParam());
    EXPECT_NE(matrix.view().scale(0, 0), 0.0f);
    const std::vector<float> stored = decode(matrix);
    for (size_t i = 0; i < values.size(); ++i) EXPECT_LE(std::abs(stored[i] - values[i]), std::max(size / 7, std::ldexp(1.0f, -25)));
  }
}

TEST_P(BothMethods, RefuseScalesBeyondHalf) {
  std::vector<float> values(64, 1.0f);
  values[33] = 1e6f;
  const auto refused = quantize_matrix(view_of(values, 1), kInt4, GetParam(), 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("row 0"));
  EXPECT_THAT(refused.error().message, HasSubstr("column 32"));
  EXPECT_TRUE(quantize_matrix(view_of(values, 1), {.bits = 4, .group = 32, .scale_type = DType::f32}, GetParam(), 1).has_value());
}

TEST_P(BothMethods, RefuseNanAndInfinityNamingRowAndColumn) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()})
    for (const WeightEncoding& encoding : {kInt4, kInt8, WeightEncoding{.float_type = DType::bf16}, WeightEncoding{}}) {
      std::vector<float> values = normal_values(4 * 100, 1);
      values[2 * 100 + 57] = bad;
      values[3 * 100 + 5] = bad;
      const auto refused = quantize_matrix(view_of(values, 4), encoding, GetParam(), 2);
      ASSERT_FALSE(refused.has_value()) << encoding.name();
      EXPECT_EQ(refused.error().code, ErrorCode::invalid_file);
      EXPECT_THAT(refused.error().message, HasSubstr("row 2, column 57"));
    }
}

// --- types --------------------------------------------------------------------------------------------------------------------

TEST(Quantize, ReadsHalvesAsTheirFloatValues) {
  std::vector<float> values = normal_values(4 * 96, 2);
  for (const DType type : {DType::f16, DType::bf16}) {
    std::vector<uint16_t> halves(values.size());
    narrow_from_f32(values.data(), static_cast<int64_t>(values.size()), type, reinterpret_cast<std::byte*>(halves.data()));
    const TensorView source{.dtype = type, .shape = {4, 96}, .data = reinterpret_cast<const std::byte*>(halves.data())};
    std::vector<float> rounded(values.size());
    widen_to_f32(source, 0, source.elements(), rounded.data());
    const auto from_half = quantize_matrix(source, kInt4, QuantMethod::mse, 1);
    ASSERT_TRUE(from_half.has_value());
    EXPECT_EQ(from_half->codes, encode(rounded, 4, kInt4, QuantMethod::mse).codes);
  }
}

TEST(Quantize, ConvertsBetweenFloatTypes) {
  const std::vector<float> values = normal_values(4 * 33, 2);
  QuantError error;
  const EncodedMatrix half_matrix = encode(values, 4, {.float_type = DType::f16}, QuantMethod::rtn, &error);
  const std::vector<float> stored = decode(half_matrix);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(stored[i], half(values[i]));
  EXPECT_GT(error.mse, 0);
  EXPECT_EQ(decode(encode(values, 4, {}, QuantMethod::rtn, &error)), values);
  EXPECT_EQ(error.mse, 0);
}

TEST(Quantize, RefusesFloatsThatHalfCannotHold) {
  const std::vector<float> values{1.0f, 70000.0f};
  const auto refused = quantize_matrix(view_of(values, 1), {.float_type = DType::f16}, QuantMethod::rtn, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("70000 at row 0, column 1"));
}

TEST(Quantize, RefusesEncodingsThatDoNotExist) {
  const std::vector<float> values(64, 1.0f);
  for (const WeightEncoding& encoding : {WeightEncoding{.bits = 3}, WeightEncoding{.bits = 4, .group = 48}, WeightEncoding{.float_type = DType::i8},
                                         WeightEncoding{.bits = 4, .scale_type = DType::bf16}}) {
    const auto refused = quantize_matrix(view_of(values, 1), encoding, QuantMethod::rtn, 1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  }
}

TEST(Quantize, AcceptsAnEmptyMatrix) {
  const auto matrix = quantize_matrix({.dtype = DType::f32, .shape = {0, 32}, .data = nullptr}, kInt4, QuantMethod::mse, 2);
  ASSERT_TRUE(matrix.has_value());
  EXPECT_TRUE(matrix->codes.empty());
}

}  // namespace
}  // namespace phiscope
