#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "core/quant/block_encoders.h"
#include "core/quant/row_quantizer.h"

namespace phiscope {

int64_t encode_q4_0_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q4_1_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q5_0_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q5_1_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q8_0_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q4_k_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q5_k_baseline(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q6_k_baseline(const float* row, int64_t columns, uint8_t* out);

int64_t quantize_row_baseline(const float* row, int64_t columns, const WeightEncoding& encoding, QuantMethod method, const RowCodes& out,
                              ErrorSums* sums);

namespace {

struct Encoded {
  std::vector<uint8_t> codes, zero_points;
  std::vector<float> scales;
  ErrorSums sums;
  bool operator==(const Encoded& other) const {
    return codes == other.codes && zero_points == other.zero_points && scales == other.scales &&
           sums.squared_error == other.sums.squared_error && sums.squared_value == other.sums.squared_value &&
           sums.max_abs_error == other.sums.max_abs_error;
  }
};

template <class Quantize>
Encoded encode(Quantize quantize, const std::vector<float>& row, int64_t columns, const WeightEncoding& encoding, QuantMethod method) {
  const auto groups = static_cast<size_t>(encoding.groups(columns));
  Encoded out{std::vector<uint8_t>(row.size()), std::vector<uint8_t>(groups), std::vector<float>(groups), {}};
  EXPECT_EQ(quantize(row.data(), columns, encoding, method, RowCodes{out.codes.data(), out.scales.data(), out.zero_points.data()}, &out.sums), -1);
  return out;
}

/// Artifacts and their hashes must not depend on the machine that made them.
TEST(InstructionSets, GiveTheSameBits) {
  std::mt19937 random(3);
  for (const int bits : {4, 8})
    for (const int group : {0, 16, 32, 128})
      for (const OffsetClass offset : {OffsetClass::symmetric, OffsetClass::zero_point})
        for (const DType scale_type : {DType::f16, DType::f32})
          for (const QuantMethod method : {QuantMethod::rtn, QuantMethod::mse})
            for (const int64_t columns : {1, 31, 256, 1003}) {
              const WeightEncoding encoding{.bits = bits, .group = group, .offset = offset, .scale_type = scale_type};
              std::vector<float> row(static_cast<size_t>(columns + kRowPadding), 0.0f);
              std::normal_distribution<float> normal(0.01f, 0.3f);
              for (int64_t i = 0; i < columns; ++i) row[static_cast<size_t>(i)] = normal(random);
              EXPECT_TRUE(encode(quantize_row, row, columns, encoding, method) == encode(quantize_row_baseline, row, columns, encoding, method))
                  << encoding.name() << " " << method_name(method) << " columns " << columns;
            }
}

TEST(InstructionSets, GiveTheSameBlocks) {
  using Encode = int64_t (*)(const float*, int64_t, uint8_t*);
  constexpr std::pair<Encode, Encode> kPairs[] = {
      {encode_q4_0, encode_q4_0_baseline}, {encode_q4_1, encode_q4_1_baseline}, {encode_q5_0, encode_q5_0_baseline}, {encode_q5_1, encode_q5_1_baseline},
      {encode_q8_0, encode_q8_0_baseline}, {encode_q4_k, encode_q4_k_baseline}, {encode_q5_k, encode_q5_k_baseline}, {encode_q6_k, encode_q6_k_baseline}};
  constexpr int64_t kColumns = 2048;
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0.01f, 0.3f);
  std::vector<float> row(kColumns);
  for (float& value : row) value = normal(random);
  for (const auto& [encode_here, encode_baseline] : kPairs) {
    std::vector<uint8_t> here(kColumns * 2), baseline(kColumns * 2);
    EXPECT_EQ(encode_here(row.data(), kColumns, here.data()), -1);
    EXPECT_EQ(encode_baseline(row.data(), kColumns, baseline.data()), -1);
    EXPECT_EQ(here, baseline);
  }
}

}  // namespace
}  // namespace phiscope
