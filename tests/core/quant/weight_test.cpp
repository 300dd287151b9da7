#include "core/quant/weight.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

namespace phiscope {
namespace {

struct Stored {
  std::vector<uint8_t> codes, scales, zero_points;
  WeightView view;
};

/// Random codes, f16 or f32 scales of both signs, zero points.
Stored random_matrix(const WeightEncoding& encoding, int64_t rows, int64_t columns) {
  std::mt19937 random(7);
  Stored stored;
  stored.codes.resize(static_cast<size_t>(rows) * encoding.code_bytes_per_row(columns));
  for (auto& byte : stored.codes) byte = static_cast<uint8_t>(random());
  const auto groups = static_cast<size_t>(rows * encoding.groups(columns));
  stored.scales.resize(groups * dtype_bytes(encoding.scale_type));
  stored.zero_points.resize(groups);
  for (size_t i = 0; i < groups; ++i) {
    const float scale = std::uniform_real_distribution<float>(-0.1f, 0.1f)(random);
    const uint16_t half = f32_to_f16(scale);
    if (encoding.scale_type == DType::f16) std::memcpy(&stored.scales[2 * i], &half, 2);
    if (encoding.scale_type == DType::f32) std::memcpy(&stored.scales[4 * i], &scale, 4);
    stored.zero_points[i] = static_cast<uint8_t>(random() % (1u << encoding.bits));
  }
  stored.view = {encoding, rows, columns, reinterpret_cast<const std::byte*>(stored.codes.data()),
                 reinterpret_cast<const std::byte*>(stored.scales.data()), stored.zero_points.data()};
  return stored;
}

TEST(WeightEncoding, CountsGroupsAndBytes) {
  const WeightEncoding int4{.bits = 4, .group = 32};
  EXPECT_EQ(int4.groups(3072), 96);
  EXPECT_EQ(int4.groups(33), 2) << "the last group may be shorter";
  EXPECT_EQ(int4.code_bytes_per_row(33), 17u) << "rows start on a byte";
  EXPECT_EQ(int4.bytes(2, 64), 2u * (32 + 2 * 2));
  const WeightEncoding asymmetric{.bits = 4, .group = 32, .offset = OffsetClass::zero_point};
  EXPECT_EQ(asymmetric.bytes(2, 64), 2u * (32 + 2 * 3));
  const WeightEncoding int8{.bits = 8, .group = 0, .scale_type = DType::f32};
  EXPECT_EQ(int8.groups(100), 1);
  EXPECT_EQ(int8.bytes(3, 100), 3u * 104);
  const WeightEncoding bf16{.float_type = DType::bf16};
  EXPECT_EQ(bf16.groups(100), 0);
  EXPECT_EQ(bf16.bytes(3, 100), 600u);
}

TEST(WeightEncoding, HasANameForPeople) {
  EXPECT_EQ(WeightEncoding{.float_type = DType::bf16}.name(), "bf16");
  EXPECT_EQ((WeightEncoding{.bits = 4, .group = 32}.name()), "int4 g32 f16-scale");
  EXPECT_EQ((WeightEncoding{.bits = 8, .scale_type = DType::f32}.name()), "int8 row f32-scale");
  EXPECT_EQ((WeightEncoding{.bits = 4, .group = 64, .offset = OffsetClass::zero_point}.name()), "int4 g64 zero-point f16-scale");
}

TEST(WeightView, ReadsCodesLowestBitsFirst) {
  const uint8_t codes[] = {0x21, 0x43, 0x05};
  const uint16_t scale = f32_to_f16(0.5f);
  const WeightView view{{.bits = 4}, 1, 5, reinterpret_cast<const std::byte*>(codes), reinterpret_cast<const std::byte*>(&scale), nullptr};
  for (int column = 0; column < 5; ++column) EXPECT_EQ(view.code(0, column), column + 1);
  std::vector<float> out(5);
  dequantize_row(view, 0, out.data());
  EXPECT_EQ(out, (std::vector<float>{-3.5f, -3.0f, -2.5f, -2.0f, -1.5f}));
}

TEST(Dequantize, MultipliesTheWidenedScaleWithAnExactInteger) {
  for (const int bits : {4, 8})
    for (const int group : {0, 16, 32, 128})
      for (const OffsetClass offset : {OffsetClass::symmetric, OffsetClass::zero_point})
        for (const DType scale_type : {DType::f16, DType::f32})
          for (const int64_t columns : {1, 2, 31, 33, 100, 257}) {
            const WeightEncoding encoding{.bits = bits, .group = group, .offset = offset, .scale_type = scale_type};
            const Stored stored = random_matrix(encoding, 3, columns);
            std::vector<float> out(static_cast<size_t>(columns) + 1, 12345.0f);
            for (int64_t row = 0; row < 3; ++row) {
              dequantize_row(stored.view, row, out.data());
              for (int64_t column = 0; column < columns; ++column) {
                const int64_t g = group == 0 ? 0 : column / group;
                const int zero = offset == OffsetClass::symmetric
                                     ? 1 << (bits - 1)
                                     : stored.zero_points[static_cast<size_t>(row * encoding.groups(columns) + g)];
                const float expected = stored.view.scale(row, g) * static_cast<float>(stored.view.code(row, column) - zero);
                ASSERT_EQ(out[static_cast<size_t>(column)], expected) << encoding.name() << " row " << row << " column " << column;
              }
              ASSERT_EQ(out.back(), 12345.0f) << "wrote past the row";
            }
          }
}

TEST(Dequantize, WidensFloatRows) {
  const uint16_t values[] = {f32_to_bf16(1.0f), f32_to_bf16(-2.0f), f32_to_bf16(3.0f), f32_to_bf16(4.0f)};
  const WeightView view{{.float_type = DType::bf16}, 2, 2, reinterpret_cast<const std::byte*>(values), nullptr, nullptr};
  std::vector<float> out(2);
  dequantize_row(view, 1, out.data());
  EXPECT_EQ(out, (std::vector<float>{3.0f, 4.0f}));
}

}  // namespace
}  // namespace phiscope
