#include "core/backend/activation_quant.h"

#include <gtest/gtest.h>

#include <vector>

namespace phiscope {
namespace {

TEST(ActivationQuant, TheLargestValueBecomes127AndTiesGoToEven) {
  const std::vector<float> values{127, -127, 0.5f, 1.5f, -2.5f, 63.49f};
  std::vector<int8_t> codes(values.size());
  EXPECT_EQ(quantize_activation_group(values, codes.data()), 1.0f);
  EXPECT_EQ(codes, (std::vector<int8_t>{127, -127, 0, 2, -2, 63}));
}

TEST(ActivationQuant, NeverMovesAValueByMoreThanHalfAStep) {
  std::vector<float> values;
  for (int i = 0; i < kActivationGroup; ++i) values.push_back(static_cast<float>((i * 37) % 101 - 50) * 0.0173f);
  std::vector<int8_t> codes(values.size());
  const float scale = quantize_activation_group(values, codes.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_LE(std::fabs(values[i] - scale * static_cast<float>(codes[i])), scale * 0.50001f);
}

TEST(ActivationQuant, ZerosAndVanishingValuesAreZero) {
  for (const float small : {0.0f, 1e-38f, -9e-31f}) {
    const std::vector<float> values(3, small);
    std::vector<int8_t> codes(3, 1);
    EXPECT_EQ(quantize_activation_group(values, codes.data()), 0.0f);
    EXPECT_EQ(codes, (std::vector<int8_t>{0, 0, 0}));
  }
}

TEST(ActivationQuant, ValuesThatAreNotFiniteStayVisible) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> values{1, bad, 2};
    std::vector<int8_t> codes(3, 1);
    EXPECT_TRUE(std::isnan(quantize_activation_group(values, codes.data())));
    EXPECT_EQ(codes, (std::vector<int8_t>{0, 0, 0}));
  }
}

}  // namespace
}  // namespace phiscope
